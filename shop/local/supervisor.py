"""What `make run` runs: the two embedded servers and every process of the Procfile, kept alive.

``python -m shop.local.supervisor`` honours PORT (8000), DATA_DIR (var/ in the checkout),
DATABASE_URL and REDIS_URL, the latter two in place of an embedded server. It exits with 0 after an
orderly stop that a signal asked for, and with 1 and one line of explanation where it cannot start.

One rule holds throughout: whatever ends this process, nothing it started is left. Every child leads
a session of its own and is in the record of ``shop.local.embedded``, by which the guard, or at the
latest the next run, stops what this process no longer can.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import os
import queue
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from shop.local.embedded import (
    GRACE,
    START_TIMEOUT,
    EmbeddedError,
    Postgres,
    Record,
    Server,
    Valkey,
    kill_group,
    lock,
    make_data_dir,
    running_path,
    spawn,
    start_guard,
    write_running,
)

CHECKOUT = Path(__file__).resolve().parent.parent.parent
POLL = 0.02
FIRST_DELAY, LONGEST_DELAY = 0.2, 5.0
"""Seconds before a process that ended is started again, the first time and after many times."""
STEADY = 10.0
"""Seconds after which a process counts as having started well."""
HURRIED_GRACE = 1.0
"""Seconds that are left to a process after the second signal."""
LONGEST_LINE = 65_536
LONGEST_QUEUE = 4_000_000
"""Bytes of a line that are kept waiting for its end, and of lines that wait to be written."""
APPS, SERVERS = 0, 1
"""Stages of a stop: the processes of the Procfile first, then what they depend on."""

WELCOME = """
  The shop is running at {address}/
    documentation   {address}/documentation
    mails           {mail}/
    customers       joe / demo-joe, ann / demo-ann
    client program  till / demo-till
    staff, admin    staff / demo-staff
  Ctrl-C stops it.

"""


class StartError(Exception):
    """The site cannot be started; the message is one line for the person at the shell."""


class Console:
    """Writes whole lines, each behind the name of the process it comes from.

    A thread does the writing: a terminal that stands still, or a pipe nobody reads, must stop
    neither the supervisor nor the processes. What does not fit into the queue is dropped, and said.
    """

    def __init__(self, names: list[str]) -> None:
        self._width = max(map(len, names))
        self._colours = {name: 31 + index % 6 for index, name in enumerate(sorted(names), 1)}
        self._tty = sys.stdout.isatty()
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._queued = self._written = self._dropped = 0
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def line(self, name: str, text: bytes) -> None:
        """Print one line of the process `name`."""
        prefix = f"{name:<{self._width}} | "
        if self._tty:
            prefix = f"\x1b[{self._colours[name]}m{prefix}\x1b[0m"
        self.raw(prefix.encode() + text + b"\n")

    def say(self, text: str) -> None:
        """Print one line of our own."""
        self.line("shop", text.encode())

    def raw(self, text: bytes) -> None:
        """Print `text` as it is."""
        if self._queued - self._written > LONGEST_QUEUE:
            self._dropped += 1
            return
        if self._dropped:
            text = b"(%d lines dropped)\n%b" % (self._dropped, text)
            self._dropped = 0
        self._queued += len(text)
        self._queue.put(text)

    def _write(self) -> None:
        gone = False
        while (text := self._queue.get()) is not None:
            # Each thread has a count of its own to increase, so that neither needs a lock.
            self._written += len(text)
            while text and not gone:
                try:
                    text = text[os.write(1, text) :]
                except BlockingIOError:
                    time.sleep(POLL)
                except OSError as error:
                    # With the disk full only this text is lost. Otherwise the terminal or the
                    # reader has gone, and nobody is left to tell.
                    gone = error.errno not in (errno.ENOSPC, errno.EDQUOT)
                    break

    def close(self) -> None:
        """Write out what is queued, unless nobody reads it."""
        self._queue.put(None)
        self._thread.join(timeout=1.0)


class Lines:
    """Cuts what a process writes into lines for the console, in a bounded amount of memory."""

    def __init__(self, name: str, source: int, console: Console) -> None:
        self._name, self._source, self._console = name, source, console
        self._rest = b""
        self.closed = asyncio.Event()
        os.set_blocking(source, False)
        asyncio.get_running_loop().add_reader(source, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._source, LONGEST_LINE)
        except BlockingIOError:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        if not data or len(self._rest) >= LONGEST_LINE:
            lines += [self._rest] if self._rest else []
            self._rest = b""
        for line in lines:
            self._console.line(self._name, line.rstrip(b"\r"))
        if not data:
            asyncio.get_running_loop().remove_reader(self._source)
            os.close(self._source)
            self.closed.set()


class Process:
    """One child, possibly restarted: `run` lasts from its start to its end.

    Args:
        server: the embedded server it is, if it is one.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        stage: int = APPS,
        server: Server | None = None,
    ) -> None:
        self.name, self.command, self.env, self.cwd = name, command, env, cwd
        self.stage, self.server = stage, server
        self.stop_signal = server.stop_signal if server else signal.SIGTERM
        self.popen: subprocess.Popen[bytes] | None = None
        self.ended = asyncio.Event()

    def start(self, record: Record, console: Console) -> None:
        """Start the child, its output going to the console."""
        source, output = os.pipe()
        self.popen = None
        self.ended.clear()
        self.lines = Lines(self.name, source, console)
        try:
            self.popen = spawn(
                self.command, record, stop_signal=self.stop_signal, stage=self.stage,
                env=self.env, cwd=self.cwd, output=output,
            )  # fmt: skip
        finally:
            os.close(output)

    async def drained(self) -> None:
        """Wait until the console has all that the ended child has written."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.lines.closed.wait(), 1.0)

    def reap(self, record: Record) -> None:
        """Take notice if the child has ended, and let nothing of its group outlive it."""
        if self.popen and not self.ended.is_set() and self.popen.poll() is not None:
            kill_group(self.popen.pid)
            self.ended.set()
            record.remove(self.popen.pid)

    def signal(self, number: int) -> None:
        """Send a signal to the child itself, if it still runs."""
        if self.running and self.popen:
            self.popen.send_signal(number)

    @property
    def running(self) -> bool:
        """Whether the child has been started and has not ended yet."""
        return self.popen is not None and not self.ended.is_set()

    @property
    def returncode(self) -> int:
        """The exit status of the child, which has ended; -n if signal n killed it."""
        return self.popen.returncode if self.popen else 0

    @property
    def fate(self) -> str:
        """How the child ended, in words."""
        code = self.returncode
        if code >= 0:
            return f"ended with {code}"
        names = {number.value: number.name for number in signal.Signals}
        return f"was killed by {names.get(-code, f'signal {-code}')}"


class Supervisor:
    """Keeps the site running until it is told to stop.

    Args:
        procfile: lines of the form ``name: command``.
        prepare: a command to run once the servers answer, before everything else; may be empty.
        port: of the web address, on 127.0.0.1.
        data_dir: everything that is kept from one run to the next.
        parent: the process id of the make that started us, with whose end we stop; 0 for none.
    """

    def __init__(
        self, *, procfile: Path, prepare: str, port: int, data_dir: Path, parent: int = 0
    ) -> None:
        self.cwd = procfile.resolve().parent
        self.port, self.data_dir, self.parent = port, data_dir.resolve(), parent
        self.prepare = shlex.split(prepare)
        self.lines = read_procfile(procfile)
        self.console = Console(["shop", "postgres", "valkey", "prepare", *self.lines])
        self.record = Record(self.data_dir / "processes.json")
        self.processes: list[Process] = []
        self.servers: list[Server] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._guard_lost = True
        self.stopping = asyncio.Event()
        self.hurrying = asyncio.Event()
        self.env = self._environment()

    def _environment(self) -> dict[str, str]:
        env = dict(os.environ) if os.environ.get("DATABASE_URL") else Postgres.environment()
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}"
        env |= {"PORT": str(self.port), "DATA_DIR": str(self.data_dir), "PYTHONUNBUFFERED": "1"}
        env.setdefault("ENVIRONMENT", "development")
        # Celery warns whoever runs it as root, in eight lines.
        env.setdefault("PYTHONWARNINGS", "ignore:::celery.platforms")
        return env

    async def run(self) -> None:
        """Start everything, keep it running, and stop it when told to.

        Raises:
            StartError, EmbeddedError: with everything stopped again.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup means that the end of the terminal is to be ignored.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                loop.add_signal_handler(number, self._on_signal, number)
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        make_data_dir(self.data_dir)
        held = lock(self.data_dir)
        if Record.stop_all(self.record.path):
            self.console.say("stopped what an earlier run had left behind")
        check_port(self.port)
        lifeline, hold = os.pipe()
        self._guard_arguments = (self.record.path, held, lifeline)
        self._start_guard()
        watching = loop.create_task(self._watch_parent())
        try:
            await self._start()
            await self.stopping.wait()
        finally:
            self.stopping.set()
            for task in (watching, *self._tasks):
                task.cancel()
            await self._stop(APPS)
            await self._stop(SERVERS)
            for server in self.servers:
                server.tidy()
            running_path(self.data_dir).unlink(missing_ok=True)
            # With nothing left in the record the guard just goes, and with it the lock.
            os.close(hold)
            self._guard.wait()

    def _on_signal(self, number: int) -> None:
        if self.stopping.is_set():
            self.hurrying.set()
        else:
            self._stop_because(signal.Signals(number).name)

    def _stop_because(self, reason: str) -> None:
        self.console.say(f"stopping ({reason})")
        self.stopping.set()

    def _start_guard(self) -> None:
        if not self.stopping.is_set():
            self._guard = start_guard(*self._guard_arguments)
            self._guard_lost = False

    def _reap(self) -> None:
        for process in self.processes:
            process.reap(self.record)
        if not self._guard_lost and self._guard.poll() is not None:
            self._guard_lost = True
            asyncio.get_running_loop().call_later(FIRST_DELAY, self._start_guard)

    async def _watch_parent(self) -> None:
        if not self.parent:
            return
        before = _caught_signals(self.parent)
        while os.getppid() == self.parent and _caught_signals(self.parent) == before:
            await asyncio.sleep(0.2)
        if not self.stopping.is_set():
            self._stop_because("make has been stopped")

    async def _start(self) -> None:
        for kind in (Postgres, Valkey):
            if not self.env.get(kind.variable):
                self.servers.append(kind(self.data_dir))
        await self._unless_stopped(*(self._start_server(server) for server in self.servers))
        for server in self.servers:
            self.env[server.variable] = server.url
            if isinstance(server, Postgres):
                self.env[server.variable] = server.application_url
                self.env["DATABASE_OWNER_URL"] = server.url
        write_running(self.data_dir, self.env)
        if self.prepare:
            await self._unless_stopped(self._prepare())
        if not self.stopping.is_set():
            for name, words in self.lines.items():
                self._keep(Process(name, expand(words, self.env), env=self.env, cwd=self.cwd))
            self._tasks.append(asyncio.create_task(self._announce()))

    async def _unless_stopped(self, *steps: Coroutine[None, None, None]) -> None:
        """Wait for all `steps`, but no longer than until we are to stop."""
        work = asyncio.gather(*steps)
        stop = asyncio.create_task(self.stopping.wait())
        try:
            either: list[asyncio.Future[Any]] = [work, stop]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            work.cancel()
            stop.cancel()

    async def _start_server(self, server: Server) -> None:
        await asyncio.to_thread(server.prepare)
        if self.stopping.is_set():
            return
        self._keep(
            Process(
                server.name, server.command(), env=Postgres.environment(), cwd=self.data_dir,
                stage=SERVERS, server=server,
            )
        )  # fmt: skip
        deadline = time.monotonic() + START_TIMEOUT
        while not server.ready():
            if time.monotonic() > deadline:
                raise StartError(f"{server.name} does not answer after {START_TIMEOUT:.0f} s")
            await asyncio.sleep(POLL)

    async def _prepare(self) -> None:
        env = self.env | {"DATABASE_ROLE": "owner"}
        process = Process("prepare", self.prepare, env=env, cwd=self.cwd)
        self.processes.append(process)
        process.start(self.record, self.console)
        await process.ended.wait()
        self.processes.remove(process)
        await process.drained()
        if process.returncode:
            raise StartError(f"`{shlex.join(self.prepare)}` {process.fate}")

    def _keep(self, process: Process) -> None:
        self.processes.append(process)
        self._tasks.append(asyncio.create_task(self._keep_running(process)))

    async def _keep_running(self, process: Process) -> None:
        delay = FIRST_DELAY
        while True:
            began = time.monotonic()
            try:
                if process.server:
                    await asyncio.to_thread(process.server.prepare)
                process.start(self.record, self.console)
                await process.ended.wait()
                fate = process.fate
            except (EmbeddedError, OSError) as error:
                fate = f"cannot be started: {error}"
            if time.monotonic() - began >= STEADY:
                delay = FIRST_DELAY
            self.console.say(f"{process.name} {fate}; starting it again in {delay:.1f} s")
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)

    async def _announce(self) -> None:
        while not await _answers(self.port):
            await asyncio.sleep(POLL)
        if self.env["ENVIRONMENT"] == "development":
            address = f"http://127.0.0.1:{self.port}"
            block = WELCOME.format(address=address, mail=self.data_dir / "mail")
            self.console.raw(block.encode())

    async def _stop(self, stage: int) -> None:
        running = [one for one in self.processes if one.stage == stage and one.running]
        for process in running:
            process.signal(process.stop_signal)
        if not await self._all_ended(running, self.hurrying):
            for process in running:
                if process.running and process.popen:
                    self.console.say(f"killing {process.name}, which does not stop")
                    kill_group(process.popen.pid)
            await self._all_ended(running, asyncio.Event())
        for process in running:
            await process.drained()

    @staticmethod
    async def _all_ended(processes: list[Process], hurrying: asyncio.Event) -> bool:
        deadline = time.monotonic() + GRACE
        while any(process.running for process in processes):
            # Even in a hurry a server gets the second that an orderly stop takes it.
            if hurrying.is_set():
                deadline = min(deadline, time.monotonic() + HURRIED_GRACE)
                hurrying = asyncio.Event()
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL)
        return True


def read_procfile(path: Path) -> dict[str, list[str]]:
    """The words of each command by the name of its process, variables not yet expanded.

    Raises:
        StartError: a line is not of the form ``name: command``, or a name comes twice.
    """
    commands: dict[str, list[str]] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, command = line.partition(":")
        if not colon or not re.fullmatch(r"[\w-]+", name) or name in commands:
            raise StartError(f"{path.name}, line {number}: `name: command` is expected")
        commands[name] = shlex.split(command)
    return commands


def expand(words: list[str], values: Mapping[str, str]) -> list[str]:
    """The words with $NAME and ${NAME} replaced.

    Raises:
        StartError: a name has no value.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in values:
            raise StartError(f"the Procfile uses ${name}, which is not set")
        return values[name]

    return [re.sub(r"\$(?:(\w+)|\{(\w+)\})", value, word) for word in words]


def check_port(port: int) -> None:
    """See whether the web address is free.

    Raises:
        StartError: it is not.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            reason = "in use already" if error.errno == errno.EADDRINUSE else error.strerror
            raise StartError(
                f"port {port} is {reason}; choose another: make run PORT=..."
            ) from None


async def _answers(port: int) -> bool:
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                host = f"Host: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
                writer.write(b"GET /livez HTTP/1.1\r\n" + host.encode())
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def _caught_signals(pid: int) -> int:
    """Which of the signals that end a run the process `pid` catches, as a bit mask.

    make passes SIGTERM on to us, but SIGINT and SIGHUP it keeps to itself: it restores the default
    action and waits for us to end. That it no longer catches one is all there is to be seen.
    """
    mask = sum(1 << (number - 1) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    with contextlib.suppress(OSError, StopIteration):
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        caught = next(line for line in status if line.startswith("SigCgt:"))
        return int(caught.split()[1], 16) & mask
    return 0


def main() -> int:
    """Run the site in the foreground; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m shop.local.supervisor", description=main.__doc__
    )
    parser.add_argument("--procfile", type=Path, default=CHECKOUT / "Procfile")
    parser.add_argument(
        "--prepare",
        default="python manage.py prepare_development",
        help="a command to run once the servers answer (default: %(default)s)",
    )
    parser.add_argument("--parent", type=int, default=0, help="stop when this process ends")
    options = parser.parse_args()
    supervisor = None
    try:
        port = os.environ.get("PORT") or "8000"
        if not port.isdigit() or not 0 < int(port) < 65536:
            raise StartError(f"PORT is {port!r}, which is not a port number")
        supervisor = Supervisor(
            procfile=options.procfile,
            prepare=options.prepare,
            port=int(port),
            data_dir=Path(os.environ.get("DATA_DIR") or CHECKOUT / "var"),
            parent=options.parent,
        )
        asyncio.run(supervisor.run())
    except (StartError, EmbeddedError, OSError) as error:
        failure: Exception | None = error
    else:
        failure = None
    if supervisor:
        supervisor.console.close()
    if failure:
        print(f"make run: {failure}", file=sys.stderr, flush=True)
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
