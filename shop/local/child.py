"""One child process of the supervisor, with its output and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from shop.local.console import Console, Lines
from shop.local.processes import Record, kill_group, spawn
from shop.local.server import Server

APPS, SERVERS = 0, 1
"""The stages of a stop: first the processes of the Procfile, then the servers they need."""


class Child:
    """One child, which may be started again after its end.

    ``server`` is the embedded server that the child runs, if it runs one.
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
        """Start the child; the console prints its output."""
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
        """Wait until the console has all output of the ended child."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.lines.closed.wait(), 1.0)

    def reap(self, record: Record) -> None:
        """If the child has ended, kill the rest of its group and forget it."""
        if self.popen and not self.ended.is_set() and self.popen.poll() is not None:
            kill_group(self.popen.pid)
            self.ended.set()
            record.remove(self.popen.pid)

    def signal(self, number: int) -> None:
        """Send a signal to the child if it still runs."""
        if self.running and self.popen:
            self.popen.send_signal(number)

    @property
    def running(self) -> bool:
        """Return whether the child has been started and has not ended yet."""
        return self.popen is not None and not self.ended.is_set()

    @property
    def returncode(self) -> int:
        """Return the exit status of the ended child; -n if signal n killed it."""
        return self.popen.returncode if self.popen else 0

    @property
    def fate(self) -> str:
        """Return in words how the child ended."""
        code = self.returncode
        if code >= 0:
            return f"ended with {code}"
        names = {number.value: number.name for number in signal.Signals}
        return f"was killed by {names.get(-code, f'signal {-code}')}"
