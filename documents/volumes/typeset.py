"""Typesets the volumes of one document in child processes, and joins them as they arrive."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from documents.measure import font_folders, package_of, shorten
from documents.rendered import Rendered, RenderingFailed, RenderingTimeout
from documents.volumes import layout
from documents.volumes.join import JoinedPdf

TEMPLATE = Path(__file__).with_name("volume.typ")

TIME_LIMIT = 300.0
"""Seconds that typesetting one document may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imprint:
    """A document's titles: in its letterhead, its running heads and its metadata.

    ``title`` is the title in the metadata, ``heading`` is shown in large letters, ``number`` is the
    line at the foot. ``page`` has ``%(page)s`` and ``%(pages)s`` for their numbers. ``language`` is
    that of the texts, such as ``en``. ``generated`` is in UTC.
    """

    title: str
    heading: str
    author: str
    number: str
    page: str
    language: str
    generated: datetime


def typeset(
    pages: layout.Pages, imprint: Imprint, output: Path, time_limit: float = TIME_LIMIT
) -> Rendered:
    """Write the pages as one PDF to ``output``, replacing it only when it is complete.

    Each volume is joined while the next one is typeset. Raise ``RenderingTimeout`` after
    ``time_limit`` seconds, ``RenderingFailed`` when typesetting fails otherwise, and ``OSError``
    when the disk is full.
    """
    pages.finish()
    _write_meta(pages, imprint)
    (pages.folder / TEMPLATE.name).write_bytes(TEMPLATE.read_bytes())
    run = _Run(
        folder=pages.folder,
        fonts=sorted({font_folders()[name] for name in map(package_of, pages.fonts) if name}),
        timestamp=int(imprint.generated.timestamp()),
        deadline=time.monotonic() + time_limit,
    )
    partial = tempfile.NamedTemporaryFile(  # noqa: SIM115 - renamed below, when it is complete
        dir=output.parent, prefix=f".{output.name}.", suffix=".partial", delete=False
    )
    try:
        with (
            partial as file,
            tempfile.TemporaryDirectory(dir=output.parent, prefix="volumes-") as folder,
        ):
            joined = JoinedPdf(file, imprint.language)
            target = Path(folder)
            with _Child(run, pages.volumes[0][0], target) as child:
                data = child.wait()
            for index, (_, expected) in enumerate(pages.volumes):
                following = pages.volumes[index + 1 : index + 2]
                if not following:
                    joined.add_volume(data, expected)
                    continue
                with _Child(run, following[0][0], target) as child:
                    joined.add_volume(data, expected)
                    data = child.wait()
            size, digest = joined.finish()
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial.name, output)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(partial.name)
        raise
    return Rendered(pages=pages.count, size=size, sha256=digest)


def _write_meta(pages: layout.Pages, imprint: Imprint) -> None:
    moment = imprint.generated
    author = pages.show(imprint.author)
    half = layout.BODY_WIDTH / 2 - 6
    meta = {
        "title": imprint.title,
        "heading": imprint.heading,
        "author": author,
        "lang": imprint.language,
        "page": _around_numbers(imprint.page),
        "generated": {
            unit: getattr(moment, unit)
            for unit in ("year", "month", "day", "hour", "minute", "second")
        },
        "number": shorten(pages.show(imprint.number), half, 8),
        "running": [shorten(author, half, 8), shorten(imprint.title, half, 8)],
        "pages": pages.count,
        "fonts": pages.fonts,
        "layout": layout.lengths(),
        "tables": {
            name: {"titles": table.titles, "widths": table.widths, "aligns": table.aligns}
            for name, table in pages.tables.items()
        },
    }
    (pages.folder / "meta.json").write_text(json.dumps(meta), encoding="ascii")


def _around_numbers(text: str) -> list[str]:
    """Return what stands before, between and after the number of a page and that of all pages."""
    return (text % {"page": "|", "pages": "|"}).split("|")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Shared state of one document's children; ``deadline`` is a time of the monotonic clock."""

    folder: Path
    fonts: Sequence[str]
    timestamp: int
    deadline: float


class _Child:
    """One run of typst in a child process, which is killed at the end of the context."""

    def __init__(self, run: _Run, volume: Path, target: Path) -> None:
        self.name = volume.stem
        self.deadline = deadline = run.deadline
        self.result = target / f"{volume.stem}.pdf"
        self.seconds = max(deadline - time.monotonic(), 0)
        # The child runs isolated, with only the paths of the environment, because the rest holds
        # passwords.
        kept = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-I",
                str(Path(__file__).with_name("child.py")),
                str(run.folder),
                volume.name,
                str(self.result),
                str(run.timestamp),
                str(math.ceil(self.seconds) + 5),
                *run.fonts,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=volume.parent,
            env={name: os.environ[name] for name in kept if name in os.environ},
        )

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def wait(self) -> bytes:
        """Return the volume's PDF and delete its file."""
        try:
            _, errors = self.process.communicate(timeout=max(self.deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            raise RenderingTimeout(
                f"Typesetting did not end within its time limit; {self.name} was stopped."
            ) from None
        code = self.process.returncode
        if code < 0:
            name = signal.Signals(-code).name
            raise RenderingFailed(f"Typesetting {self.name} was ended by {name}.")
        if code:
            message = errors.decode(errors="replace").strip()[-2000:]
            raise RenderingFailed(f"Typesetting {self.name} failed: {message}")
        data = self.result.read_bytes()
        self.result.unlink()
        return data
