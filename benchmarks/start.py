"""The time until a site of ``make run`` is healthy: on an empty folder, and on its data again.

    python -m benchmarks.start

Installation is not included. The time goes from the start of the supervisor to the first
``/healthz`` that answers 200. For that PostgreSQL, Valkey and the relay have to be well.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.tables import spread, table


def start(data_dir: Path) -> float:
    """Start the site on ``data_dir`` and stop it. Return the seconds until it was healthy."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
    } | {"PORT": str(port), "DATA_DIR": str(data_dir), "ENVIRONMENT": "development"}
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "shop.local.supervisor"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
                return time.monotonic() - started
            except (urllib.error.HTTPError, OSError):
                if process.poll() is not None or time.monotonic() - started > 60:
                    raise SystemExit("The site does not start.") from None
                time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def main(arguments: list[str] | None = None) -> list[str]:
    """Run the rounds. Return the lines of a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    cold, warm = [], []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(start(Path(folder)))
            warm.append(start(Path(folder)))
    return table(
        ["start", "seconds until healthy"],
        [["on an empty folder", spread(cold)], ["on its data", spread(warm)]],
    )


if __name__ == "__main__":
    print("\n".join(main()))
