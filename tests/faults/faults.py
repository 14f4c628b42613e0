"""Faults: each breaks a part of a running system, and returns once that part may work again."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from tests.system import System, launch


def postgres_processes(system: System) -> list[int]:
    """Return the server process and its children, whose command lines do not name our folder."""
    (server,) = system.pids("/bin/postgres")
    return [server, *(child.pid for child in psutil.Process(server).children(recursive=True))]


def kill_postgres(system: System) -> None:
    """kill -9 of the server process; its children end by themselves."""
    os.kill(postgres_processes(system)[0], signal.SIGKILL)


def kill_every_postgres(system: System) -> None:
    """kill -9 of the server and of all its children at once."""
    _signal(postgres_processes(system), signal.SIGKILL)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_valkey(system: System) -> None:
    """kill -9 of Valkey, which comes back with its data."""
    system.kill("valkey-server")


def empty_valkey(system: System) -> None:
    """kill -9 of Valkey, which comes back with nothing."""
    pids = system.pids("valkey-server")
    for entry in (system.data_dir / "valkey").iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def kill_relay(system: System) -> None:
    """kill -9 of the relay."""
    system.kill("manage.py relay")


def kill_web(system: System) -> None:
    """kill -9 of the process that serves pages, purchases and sockets."""
    system.kill("uvicorn")


def kill_worker(system: System) -> None:
    """kill -9 of the worker and of the processes that render for it."""
    system.kill("-A shop worker")


def _hang(pids: list[int], seconds: float) -> None:
    assert pids
    _signal(pids, signal.SIGSTOP)
    time.sleep(seconds)
    _signal(pids, signal.SIGCONT)


def hang_postgres(system: System, seconds: float = 7.0) -> None:
    """Stop every PostgreSQL process with its connections open, then let it continue."""
    _hang(postgres_processes(system), seconds)


def hang_valkey(system: System, seconds: float = 7.0) -> None:
    """Stop Valkey with its connections open, then let it continue."""
    _hang(system.pids("valkey-server"), seconds)


def kill_everything(system: System) -> None:
    """kill -9 of every process, the supervisor first; then a new start on the same data."""
    # The next start needs the command lines of these two.
    extra = {
        name: value
        for name, _, value in (
            entry.partition("=")
            for entry in Path(f"/proc/{system.process.pid}/environ")
            .read_bytes()
            .decode()
            .split("\0")
        )
        if name.startswith(("EMAIL_", "FEED_", "REPORTS_", "FAKETIME", "LD_PRELOAD", "SECRET_"))
    }
    system.process.kill()
    _signal(postgres_processes(system), signal.SIGKILL)
    for pattern in ("uvicorn", "celery", "manage.py relay", "valkey-server"):
        _signal(system.pids(pattern), signal.SIGKILL)
    system.process.wait()
    system.process = launch(system.data_dir, system.port, **extra).process


def fill_the_disk(system: System, seconds: float = 4.0) -> None:
    """Fill the file system of the data until PostgreSQL has noticed it; then free it."""
    import psycopg

    filler = system.data_dir / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
    running = json.loads((system.data_dir / "running.json").read_text())
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        # A new segment of the write-ahead log needs space, and there is none.
        with (
            contextlib.suppress(psycopg.Error),
            psycopg.connect(running["DATABASE_OWNER_URL"], autocommit=True) as connection,
        ):
            connection.execute("SELECT pg_switch_wal()")
        time.sleep(0.1)
    filler.unlink()


# Debian's package libfaketime; the path differs by architecture.
FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def faked_clock(folder: Path) -> dict[str, str]:
    """Return the environment that gives every process of a system the clock of ``folder/clock``.

    ``FAKETIME`` must exist. Monotonic clocks do not change, as when a real clock is set.
    """
    clock = folder / "clock"
    clock.write_text("+0\n")
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }


def jump(folder: Path, seconds: int) -> None:
    """Set the clock of a system with ``faked_clock`` so many seconds off the real one."""
    partial = folder / "clock.new"
    partial.write_text(f"{seconds:+d}\n")
    partial.replace(folder / "clock")


FAULTS: dict[str, Callable[[System], None]] = {
    "kill -9 PostgreSQL": kill_postgres,
    "kill -9 PostgreSQL, children too": kill_every_postgres,
    "kill -9 Valkey": kill_valkey,
    "kill -9 Valkey, data lost": empty_valkey,
    "kill -9 relay": kill_relay,
    "kill -9 web and feed": kill_web,
    "kill -9 worker": kill_worker,
    "PostgreSQL hangs 7 s": hang_postgres,
    "Valkey hangs 7 s": hang_valkey,
    "kill -9 everything": kill_everything,
}


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a file system of so many megabytes. Raise ``OSError`` if this user may not."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise OSError(done.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
