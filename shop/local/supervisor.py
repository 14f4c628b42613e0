"""What ``make run`` runs: the two embedded servers and every process of the Procfile.

``python -m shop.local.supervisor`` reads PORT (8000) and DATA_DIR (var/ in the checkout) from the
environment. DATABASE_URL and REDIS_URL replace an embedded server. The exit status is 0 after a
stop by a signal, and 1, with one line of explanation, if the site cannot be started or its data
folder is gone.

However this process ends, nothing that it started is left. Every child leads a session of its own
and is in the record of ``shop.local.processes``. The guard stops what is in the record, or else
the next run does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from shop.local.child import APPS, SERVERS, Child
from shop.local.console import Console
from shop.local.postgres import Postgres
from shop.local.processes import (
    GRACE,
    START_TIMEOUT,
    EmbeddedError,
    Record,
    StartError,
    kill_group,
    lock,
    said,
    start_guard,
)
from shop.local.procfile import expand, read_procfile
from shop.local.running import running_path, write_running
from shop.local.server import Server, make_data_dir
from shop.local.valkey import Valkey

CHECKOUT = Path(__file__).resolve().parent.parent.parent
POLL = 0.02
"""Seconds between two checks of a condition that is waited for."""
FIRST_DELAY, LONGEST_DELAY = 0.2, 5.0
"""Seconds before an ended process is started again: after its first end, and at most."""
STEADY = 10.0
"""Seconds after which a start counts as good, so that the next delay is the first one."""
HURRIED_GRACE = 1.0
"""Seconds that a process has after the second signal."""

WELCOME = """
  The shop is running at {address}/
    documentation   {address}/documentation
    mails           {mail}/
    customers       joe / demo-joe, ann / demo-ann
    client program  till / demo-till
    with a role     fin / demo-fin (finance), eve / demo-eve (support)
    staff, admin    staff / demo-staff
  Ctrl-C stops it.

"""


class Supervisor:
    """Keeps the site running until it is told to stop.

    ``procfile`` has lines of the form ``name: command``. The command ``prepare``, if there is one,
    runs once the servers answer, before all others. The site is on ``port`` of 127.0.0.1.
    ``parent`` is the pid of the make that started us, or 0; its end stops the site.
    """

    def __init__(
        self, *, procfile: Path, prepare: str, port: int, data_dir: Path, parent: int = 0
    ) -> None:
        self.cwd = procfile.resolve().parent
        self.port, self.data_dir, self.parent = port, data_dir.resolve(), parent
        self.prepare = shlex.split(prepare)
        self.commands = read_procfile(procfile)
        self.console = Console(["shop", "postgres", "valkey", "prepare", *self.commands])
        self.record = Record(self.data_dir / "processes.json")
        self.processes: list[Child] = []
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
        # Celery prints a warning of eight lines if root runs it.
        env.setdefault("PYTHONWARNINGS", "ignore:::celery.platforms")
        return env

    async def run(self) -> None:
        """Start everything, keep it running, and stop it when told to.

        Raise ``StartError`` if something does not start, with everything stopped again.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup ignores SIGHUP, so that the site outlives its terminal.
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
            if not self.data_dir.is_dir():
                raise StartError(f"{self.data_dir} is gone")
        finally:
            self.stopping.set()
            for task in (watching, *self._tasks):
                task.cancel()
            await self._stop(APPS)
            await self._stop(SERVERS)
            for server in self.servers:
                server.tidy()
            running_path(self.data_dir).unlink(missing_ok=True)
            # The record is empty, so the guard ends at once and gives up the lock.
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
                self.env |= {"DATABASE_OWNER_URL": server.url, **server.role_urls}
        write_running(self.data_dir, self.env)
        if self.prepare:
            await self._unless_stopped(self._prepare())
        if not self.stopping.is_set():
            for name, words in self.commands.items():
                env = self._environment_of(name)
                self._keep(Child(name, expand(words, env), env=env, cwd=self.cwd))
            self._tasks.append(asyncio.create_task(self._announce()))

    def _environment_of(self, name: str) -> dict[str, str]:
        """Return the environment of a process, which has a database role if one has its name."""
        has_role = f"DATABASE_{name.upper()}_URL" in self.env
        return self.env | ({"DATABASE_ROLE": name} if has_role else {})

    async def _unless_stopped(self, *steps: Coroutine[None, None, None]) -> None:
        """Wait for all ``steps``, or until the supervisor has been told to stop."""
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
            Child(
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
        process = Child("prepare", self.prepare, env=env, cwd=self.cwd)
        self.processes.append(process)
        process.start(self.record, self.console)
        await process.ended.wait()
        self.processes.remove(process)
        await process.drained()
        if process.returncode:
            raise StartError(f"`{shlex.join(self.prepare)}` {process.fate}")

    def _keep(self, process: Child) -> None:
        self.processes.append(process)
        self._tasks.append(asyncio.create_task(self._keep_running(process)))

    async def _keep_running(self, process: Child) -> None:
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
                fate = f"cannot be started: {said(error)}"
                if not self.data_dir.is_dir():
                    self._stop_because("its data folder is gone")
                    return
            if time.monotonic() - began >= STEADY:
                delay = FIRST_DELAY
            self.console.say(f"{process.name} {fate}; starting it again in {delay:.1f} s")
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)

    async def _announce(self) -> None:
        while not await _answers(self.port):
            await asyncio.sleep(POLL)
        if self.env["ENVIRONMENT"] == "development":
            # Browsers have passkeys for names only, and this name is always this machine.
            address = f"http://localhost:{self.port}"
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
    async def _all_ended(processes: list[Child], hurrying: asyncio.Event) -> bool:
        deadline = time.monotonic() + GRACE
        while any(process.running for process in processes):
            # Even after the second signal a server gets the second that its orderly stop takes.
            if hurrying.is_set():
                deadline = min(deadline, time.monotonic() + HURRIED_GRACE)
                hurrying = asyncio.Event()
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL)
        return True


def check_port(port: int) -> None:
    """Raise ``StartError`` if the port is in use or may not be used."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason = f"port {port} is in use already"
            elif error.errno == errno.EACCES:
                reason = f"port {port} is not for you: ports below 1024 are for root"
            else:
                reason = f"port {port} cannot be used: {error.strerror}"
            raise StartError(f"{reason}; choose another: make run PORT=8001") from None


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
    """Return as a bit mask which of the signals that end a run the process ``pid`` catches.

    make passes SIGTERM on to us, but neither SIGINT nor SIGHUP. After one of these it restores the
    default action and waits for us to end. So the only visible sign is that make no longer catches
    the signal.
    """
    mask = sum(1 << (number - 1) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    with contextlib.suppress(OSError, StopIteration):
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        caught = next(line for line in status if line.startswith("SigCgt:"))
        return int(caught.split()[1], 16) & mask
    return 0


def main() -> int:
    """Run the site in the foreground. Return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m shop.local.supervisor", description="Run the site in the foreground."
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
    except (StartError, OSError) as error:
        failure: str | None = said(error)
    else:
        failure = None
    if supervisor:
        supervisor.console.close()
    if failure:
        print(f"make run: {failure}", file=sys.stderr, flush=True)
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
