"""Run a command beside an embedded PostgreSQL and an embedded Valkey of its own.

``python -m shop.local.embedded [--data-dir DIR] [--durable] COMMAND ARG...``
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType

from shop.local.pair import run_pair
from shop.local.postgres import Postgres
from shop.local.processes import EmbeddedError, said


def _run_beside(command: list[str], data_dir: Path, *, durable: bool, delete: bool) -> int:
    with run_pair(data_dir, throwaway=not durable, delete=delete) as pair:
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
            # The terminal sends Ctrl-C to the whole foreground group, so the child has it already.
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
    """Run a command beside a pair of servers. Return its exit status, 128 + n for a signal n."""
    parser = argparse.ArgumentParser(
        prog="python -m shop.local.embedded",
        description="Run a command beside a throwaway pair of servers.",
    )
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
    # Until the command runs, these signals raise SystemExit, so that the servers are stopped.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    try:
        return _run_beside(command, data_dir, durable=options.durable, delete=not options.data_dir)
    except (EmbeddedError, OSError) as error:
        print(f"shop.local.embedded: {said(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
