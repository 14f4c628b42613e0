"""An embedded PostgreSQL and an embedded Valkey for the length of a block of code."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shop.local.postgres import Postgres
from shop.local.processes import (
    START_TIMEOUT,
    EmbeddedError,
    Record,
    lock,
    spawn,
    start_guard,
    wait_until,
)
from shop.local.server import Server, make_data_dir
from shop.local.valkey import Valkey


@dataclass(frozen=True)
class Pair:
    """The URLs of a running pair, and the servers that this process has started for it."""

    database_url: str
    redis_url: str
    data_dir: Path
    servers: tuple[Server, ...]


@contextlib.contextmanager
def run_pair(data_dir: Path, *, throwaway: bool = False, delete: bool = False) -> Iterator[Pair]:
    """Run the pair on ``data_dir`` for the length of the block.

    A server whose URL is in the environment (DATABASE_URL, REDIS_URL) is used and not started. No
    server is left behind even if this process is killed. ``throwaway`` gives up durability for
    speed; ``delete`` deletes ``data_dir`` afterwards.

    Raise ``Busy`` if another process uses ``data_dir``, and ``EmbeddedError`` if a server does not
    start.
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
        yield Pair(urls["DATABASE_URL"], urls["REDIS_URL"], data_dir, tuple(servers))
    finally:
        # The guard stops the servers and deletes the folder, just as if this process were killed.
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
