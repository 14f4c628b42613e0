"""Processes that must not outlive the one that started them.

Each process is recorded in a file before its first instruction. A guard stops what is in the file
if the process that started it is killed outright. This module is the guard's program, too, so it
imports the standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

POLL = 0.01
"""Seconds between two checks of a condition that is waited for."""
GRACE = 8.0
"""Seconds a process has to stop by itself before it is killed."""
START_TIMEOUT = 60.0
"""Seconds a server may take to answer, a crash recovery included."""


class StartError(Exception):
    """Something cannot be started; the message is one line for the person at the shell."""


def said(error: Exception) -> str:
    """Return what an error says, without the number that Python puts before it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


class EmbeddedError(StartError):
    """An embedded server cannot run here."""


class Busy(EmbeddedError):
    """Another process uses the same data folder."""


def _ps(pid: int, field: str) -> str:
    done = subprocess.run(
        ["ps", "-o", f"{field}=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def started_at(pid: int) -> str | None:
    """Return when the process ``pid`` was started.

    Together with the pid it identifies the process, because pids are used again. ``None`` if there
    is no such process, or if it has ended and has not been reaped yet.
    """
    try:
        # The command's name is in parentheses and may contain parentheses itself.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except ProcessLookupError:
        return None
    except FileNotFoundError:
        return (_ps(pid, "lstart") or None) if sys.platform == "darwin" else None
    return None if fields[0] in "ZX" else f"{_boot()}/{fields[19]}"


def _boot() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def command_line(pid: int) -> str:
    """Return the command line of a process, its words joined by spaces; empty if it has ended."""
    try:
        return (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
    except OSError:
        return _ps(pid, "command") if sys.platform == "darwin" else ""


def kill_group(group: int, signal_number: int = signal.SIGKILL) -> bool:
    """Signal every process of a group. Return ``False`` if none is left."""
    try:
        os.killpg(group, signal_number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass(frozen=True)
class Entry:
    """One recorded process: the leader of its own process group."""

    pid: int
    started: str
    stop_signal: int
    stage: int
    """All processes of a lower stage are stopped before any process of a higher one."""

    def alive(self) -> bool:
        """Return whether the recorded process, and no other with its pid, still runs."""
        return started_at(self.pid) == self.started


class Record:
    """A file that lists the processes started on a data folder, so that others can stop them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: dict[int, Entry] = {}

    def add(self, pid: int, *, stop_signal: int, stage: int) -> None:
        """Record a process that has just been started as the leader of a group."""
        self._entries[pid] = Entry(pid, started_at(pid) or "", stop_signal, stage)
        self._write()

    def remove(self, pid: int) -> None:
        """Forget a process whose whole group is gone."""
        if self._entries.pop(pid, None):
            # On a full disk the entry stays in the file. That is harmless, because no living
            # process has both its pid and its start.
            with contextlib.suppress(OSError):
                self._write()

    def _write(self) -> None:
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps([vars(entry) for entry in self._entries.values()]))
        draft.replace(self.path)

    @staticmethod
    def stop_all(path: Path) -> int:
        """Stop what the file at ``path`` records, in order. Return how many were alive."""
        try:
            entries = [Entry(**fields) for fields in json.loads(path.read_text())]
        except (FileNotFoundError, ValueError, TypeError):
            return 0
        found = 0
        for stage in sorted({entry.stage for entry in entries}):
            batch = [entry for entry in entries if entry.stage == stage]
            alive = [entry for entry in batch if entry.alive()]
            found += len(alive)
            for entry in alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(entry.pid, entry.stop_signal)
            _await_end(alive)
            for entry in batch:
                # A leader that ended may leave members of its group. But its pid may belong to
                # another process by now, or to one started after a reboot.
                ours = entry.alive() or started_at(entry.pid) is None
                if ours and entry.started.startswith(_boot()):
                    kill_group(entry.pid)
            _await_end(alive)
        path.unlink(missing_ok=True)
        return found


def _await_end(entries: list[Entry]) -> None:
    wait_until(lambda: not any(entry.alive() for entry in entries), GRACE)


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Return whether ``condition`` came true within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def lock(data_dir: Path, *, patience: float = 30.0) -> int:
    """Lock ``data_dir`` for this process. Return the descriptor that holds the lock while open.

    The guard of a killed process holds the lock until it has stopped everything, so wait for it.
    Raise ``Busy`` if the process that took the lock is alive.
    """
    path = data_dir / "lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _, started = path.read_text().partition(" ")
            alive = pid.isdigit() and started_at(int(pid)) == started
            if alive or time.monotonic() > deadline:
                os.close(handle)
                raise Busy(f"{data_dir} is in use by process {pid or 'unknown'} already") from None
            time.sleep(POLL)
        else:
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()} {started_at(os.getpid())}".encode(), 0)
            return handle


def start_guard(
    record: Path, lock_handle: int, lifeline: int, delete: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start the guard, which stops everything in ``record`` once this process has ended.

    ``lifeline`` is the read end of a pipe whose write end only the caller holds, so the pipe ends
    with the caller. The guard holds the lock until it is done, and deletes the folder ``delete``.
    """
    extra = [str(delete)] if delete else []
    return subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, "--guard", str(record), *extra],
        stdin=lifeline,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[lock_handle],
        start_new_session=True,
        cwd="/",
    )


def _guard(record: Path, *delete: str) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    Record.stop_all(record)
    for folder in delete:
        shutil.rmtree(folder, ignore_errors=True)


# A child waits here for a line on its standard input. Its parent writes that line after recording
# the child. If the parent is killed before, the shell reads the end of the input and ends.
GATE = ("/bin/sh", "-c", 'read -r _ && exec "$@"', "sh")


def spawn(
    command: Sequence[str],
    record: Record,
    *,
    stop_signal: int,
    stage: int,
    env: Mapping[str, str],
    cwd: Path,
    output: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``command`` in a session of its own, recorded before its first instruction.

    Raise ``OSError``, with nothing left running, if it cannot be started or recorded.
    """
    process = subprocess.Popen(
        [*GATE, *command],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        env=env,
        cwd=cwd,
        start_new_session=True,
    )
    assert process.stdin is not None
    try:
        record.add(process.pid, stop_signal=stop_signal, stage=stage)
    except BaseException:
        # It waits at the gate, and nobody else would know that it is to be stopped.
        kill_group(process.pid)
        process.stdin.close()
        process.wait()
        record.remove(process.pid)
        raise
    with contextlib.suppress(BrokenPipeError), process.stdin as gate:
        gate.write(b"\n")
    return process


if __name__ == "__main__":
    # The arguments are those of start_guard: --guard, the record, and perhaps a folder to delete.
    _guard(Path(sys.argv[2]), *sys.argv[3:])
