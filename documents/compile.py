"""The short path: typst sets a document of a few pages in a warm child process.

A kind gives data to a typst template. The template reads them by ``json(bytes(sys.inputs.data))``,
and sets its fonts to their ``fonts``, with ``fallback: false``. Texts of customers are data only,
and typst can read only the template's own folder.

The parent kills and replaces a child that hangs. It also replaces a child after ``SERVED_MAX``
documents, because typst's cache grows, and after a large one.
"""

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from documents.measure import MONO, SERIF, clean_text, font_folders, fonts_of, glyphs, isolated
from documents.rendered import Rendered, RenderingFailed, RenderingTimeout

SECONDS = 10.0
"""Time limit of one document."""
STANDARDS = ("ua-1",)
"""The standards that a PDF follows: PDF/UA-1, for screen readers."""
SERVED_MAX = 1000
"""Documents that one child compiles before the parent replaces it."""
LARGE_BYTES = 2 * 1024 * 1024
"""A child keeps the memory that a large PDF took, so the parent then replaces it."""
PDF_MAX_BYTES = 64 * 1024 * 1024

_CHILD = Path(__file__).with_name("compile_child.py")
_PAGES = re.compile(rb"/Type\s*/Pages\s*/Count (\d+)")


def render_short(
    template: Path,
    data: Mapping[str, Any],
    output: Path,
    *,
    generated: datetime,
    seconds: float = SECONDS,
) -> Rendered:
    """Compile a template with data and write the PDF (PDF/UA-1) to ``output``.

    ``data`` is a JSON object. Each text is one clean line (:func:`documents.measure.clean_text`); a
    text of several lines is a list. The same input gives the same bytes. Raise
    ``RenderingTimeout``, ``RenderingFailed``, and ``OSError`` where the disk is full.
    """
    pdf = compile_pdf(template, data, generated=generated, seconds=seconds)
    output.write_bytes(pdf)
    pages = max((int(count) for count in _PAGES.findall(pdf)), default=None)
    return Rendered(pages=pages, size=len(pdf), sha256=hashlib.sha256(pdf).hexdigest())


def compile_pdf(
    template: Path,
    data: Mapping[str, Any],
    *,
    generated: datetime,
    seconds: float = SECONDS,
    standards: Sequence[str] = STANDARDS,
    attachment: str = "",
) -> bytes:
    """Return a template's PDF; see :func:`render_short`.

    ``attachment`` is the text of a file that the template attaches: its ``sys.inputs.attachment``.
    """
    fonts: set[str] = set()

    def show(text: str) -> str:
        shown = clean_text(text)
        fonts.update(fonts_of(shown))
        return isolated(shown)

    shown = _with_texts(data, show)
    shown["fonts"] = [font for font in glyphs().order if font in {SERIF, MONO, *fonts}]
    # A child needs time to read the large fonts, so only documents that need them use such a child.
    child = _children[bool(fonts)]
    request = {
        "template": str(template.absolute()),
        "inputs": {"data": json.dumps(shown), "attachment": attachment},
        "timestamp": int(generated.timestamp()),
        "standards": list(standards),
    }
    return child.compile(request, seconds)


def _with_texts(value: Any, show: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return show(value)
    if isinstance(value, Mapping):
        return {name: _with_texts(item, show) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_texts(item, show) for item in value]
    return value


class Child:
    """A warm child process, started at its first use. One thread uses it at a time."""

    def __init__(self, fonts: Callable[[], list[str]]) -> None:
        self._fonts = fonts
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._owner = 0
        self._served = 0

    def compile(self, request: Mapping[str, Any], seconds: float) -> bytes:
        """Return the PDF; raise ``RenderingTimeout`` or ``RenderingFailed``."""
        deadline = time.monotonic() + seconds
        request = {**request, "seconds": int(seconds) + 5}
        with self._lock:
            connection = self._started()
            try:
                return self._ask(connection, json.dumps(request).encode() + b"\n", deadline)
            except TimeoutError:
                self._stop()
                raise RenderingTimeout("A document did not end within its time limit.") from None
            except (OSError, ValueError) as error:
                raise RenderingFailed(f"typst's process ended: {self._stop() or error}") from None
            except RenderingFailed:
                raise
            except BaseException:
                # The child's answer would arrive later, so the child cannot be used again.
                self._stop()
                raise

    def _ask(self, connection: socket.socket, request: bytes, deadline: float) -> bytes:
        self._served += 1
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        connection.sendall(request)
        head = b""
        while not head.endswith(b"\n"):
            head += self._read(connection, 1, deadline)
        answer = json.loads(head)
        if "error" in answer:
            raise RenderingFailed(f"typst: {answer['error']}")
        size = int(answer["size"])
        if size > PDF_MAX_BYTES:
            raise ValueError("the PDF is too large")
        if size > LARGE_BYTES:
            self._served = SERVED_MAX
        return self._read(connection, size, deadline)

    def _read(self, connection: socket.socket, size: int, deadline: float) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            part = connection.recv(min(size - len(parts), 1024 * 1024))
            if not part:
                raise ConnectionError("no answer")
            parts += part
        return bytes(parts)

    def _started(self) -> socket.socket:
        forked = self._owner != os.getpid()
        if self._process is not None and not forked:
            if self._served < SERVED_MAX and self._process.poll() is None:
                assert self._socket is not None  # noqa: S101 - set together with the process
                return self._socket
            self._stop()
        ours, theirs = socket.socketpair()
        # The child runs isolated, with only the paths of the environment, because the rest holds
        # passwords.
        kept = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_CHILD), *self._fonts()],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={name: os.environ[name] for name in kept if name in os.environ}
                | {"RAYON_NUM_THREADS": "1"},
            )
        self._socket, self._owner, self._served = ours, os.getpid(), 0
        return ours

    def _stop(self) -> str:
        """End the child; return the signal that had already ended it, if any."""
        process, connection = self._process, self._socket
        self._process = self._socket = None
        if connection is not None:
            connection.close()
        if process is None:
            return ""
        # An idle child ends when its connection closes; a busy one has to be killed.
        code = process.poll()
        process.kill()
        process.wait()
        return signal.Signals(-code).name if code is not None and code < 0 else ""


_children = {
    False: Child(list),
    True: Child(lambda: sorted(font_folders().values())),
}
