"""Everything is broken once under load; ``make soak`` does so for longer."""

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.faults.faults import FAULTS, fill_the_disk, postgres_processes, small_disk
from tests.faults.load import ANSWER_SECONDS, RECOVERY_SECONDS, Load, Verdict, recovery
from tests.system import System, running, wait_for
from tests.wires import ask_all, head


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of its own, because it is broken again and again."""
    folder = tmp_path_factory.mktemp("faults") / "data"
    with running(folder, FEED_HEARTBEAT_SECONDS="1") as system:
        yield system


@pytest.fixture(scope="module")
def full_disk(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Future[Any]]":
    """Fill the disk of another system beside the other tests, because this mostly waits."""

    def fill(disk: Path) -> tuple[float, Verdict]:
        with small_disk(disk, 400) as folder, running(folder / "data") as system:
            load = Load(system, buyers=3)
            load.start()
            fill_the_disk(system)
            return recovery(system, load) / system.slowness, load.verdict()

    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(fill, tmp_path_factory.mktemp("full") / "disk")


# Faults of one kind share a load, so that each meets what the one before has left behind.
ROUNDS = {
    "the stores die": ["kill -9 PostgreSQL", "kill -9 Valkey", "kill -9 Valkey, data lost"],
    "our processes die": [
        "kill -9 relay",
        "kill -9 web and feed",
        "kill -9 worker",
        "kill -9 everything",
    ],
}


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("name", ROUNDS)
def test_nothing_is_lost_and_nothing_comes_twice_when(broken: System, name: str) -> None:
    load = Load(broken)
    load.start()
    for fault in ROUNDS[name]:
        FAULTS[fault](broken)
        seconds = recovery(broken, load)
        assert seconds < RECOVERY_SECONDS * broken.slowness, f"{fault}: back after {seconds:.1f} s"
    verdict = load.verdict()
    assert not verdict.wrong, "\n".join(verdict.wrong)
    assert (verdict.lost, verdict.doubled, verdict.disordered) == (0, 0, 0)
    assert verdict.acknowledged > 40
    assert verdict.reports


def test_while_postgresql_hangs_every_request_is_answered(broken: System) -> None:
    joe = broken.token("joe")
    asked: list[tuple[str, str, Any]] = [
        ("GET", "/api/v1/purchases/", None),
        ("GET", "/api/v1/purchases/export.csv", None),
        ("GET", "/api/v1/events/?after=0&wait=5", None),
        ("GET", "/api/v1/accounts/me/", None),
        ("GET", "/getAllUserBuys/joe", None),
        ("GET", "/healthz", None),
        ("POST", "/api/v1/purchases/", {"price": "1"}),
        ("POST", "/buy", {"username": "joe", "userid": "005", "price": "1"}),
        ("POST", "/api/v1/auth/token/", {"username": "joe", "password": "demo-joe"}),
        (
            "POST",
            "/api/v1/reports/",
            {"kind": "statement", "since": "2024-01-01", "until": "2024-01-31"},
        ),
    ]

    def ask(one: tuple[str, str, Any]) -> tuple[str, int, str | None, float]:
        method, path, body = one
        started = time.monotonic()
        answer = broken.request(method, path, body, joe, 30)
        return path, answer.status, answer.headers["Retry-After"], time.monotonic() - started

    # A hanging server is noticed on recently used connections.
    for one in asked[:5]:
        ask(one)
    pids = postgres_processes(broken)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(len(asked)) as threads:
            answers = list(threads.map(ask, asked))
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    for path, status, retry_after, seconds in answers:
        assert (status, bool(retry_after)) == (503, True), path
        assert seconds < ANSWER_SECONDS * broken.slowness, path
    wait_for(broken.healthy, RECOVERY_SECONDS * broken.slowness)


def test_while_postgresql_hangs_the_four_hundredth_request_is_answered_too(broken: System) -> None:
    tokens = [broken.token("joe"), broken.token("ann"), "A" * 64]
    paths = [
        "/api/v1/purchases/",
        "/api/v1/accounts/me/",
        "/accounts/login/",
        "/getAllUserBuys/joe",
    ]
    wanted = [head("GET", path, token) for path in paths for token in tokens] * 17
    ask_all(broken.port, wanted[:12])
    pids = postgres_processes(broken)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(3) as threads:
            first = threads.submit(ask_all, broken.port, wanted)
            # Some come while the first have their threads but not yet their answers.
            time.sleep(2.5)
            then = threads.submit(ask_all, broken.port, wanted)
            live = ask_all(broken.port, [head("GET", "/livez")])
            probed = ask_all(broken.port, [head("GET", path) for path in ("/readyz", "/healthz")])
            told = [*first.result(), *then.result()]
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert live[0].status == 200
    assert live[0].seconds < broken.slowness
    assert all(each.status == 503 and each.seconds < 5 * broken.slowness for each in probed)
    refused = [each for each in told if each.status in (429, 503) and each.headers["retry-after"]]
    # The page for signing in needs no database.
    assert len(refused) + sum(each.status == 200 for each in told) == len(told)
    assert len(refused) > len(told) / 2
    slowest = max(each.seconds for each in told)
    assert slowest < ANSWER_SECONDS * broken.slowness, slowest
    wait_for(broken.healthy, RECOVERY_SECONDS * broken.slowness)


def test_sockets_hear_heartbeats_while_both_stores_hang(broken: System) -> None:
    headers = {"Authorization": f"Token {broken.token('joe')}"}
    pids = [*postgres_processes(broken), *broken.pids("valkey-server")]
    with connect(broken.ws_url, additional_headers=headers, proxy=None) as feed:
        assert json.loads(feed.recv(timeout=10))["type"] == "hello"
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            # The hub has noticed the silence by then, and tries to read the table again and again.
            time.sleep(4)
            for _ in range(5):
                assert json.loads(feed.recv(timeout=10))["type"] == "heartbeat"
            started = time.monotonic()
            for _ in range(3):
                assert json.loads(feed.recv(timeout=10))["type"] == "heartbeat"
            assert time.monotonic() - started < 20
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
    wait_for(broken.healthy, RECOVERY_SECONDS * broken.slowness)


def test_while_valkey_hangs_the_relay_goes_on_numbering(broken: System) -> None:
    joe = broken.token("joe")
    headers = {"Authorization": f"Token {joe}"}
    with connect(broken.ws_url, additional_headers=headers, proxy=None) as feed:
        start = json.loads(feed.recv(timeout=10))["position"]
    lines = [json.dumps({"item": f"{number}", "price": "1"}) for number in range(4000)]
    pids = broken.pids("valkey-server")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        answer = broken.request(
            "POST",
            "/api/v1/purchases/bulk/?count_equal=1",
            "\n".join(lines).encode(),
            joe,
            Content_Type="application/x-ndjson",
        )
        assert answer.status == 200, answer.body

        def all_are_numbered() -> bool:
            path = f"/api/v1/events/?after={start}&limit=5000"
            return len(broken.request("GET", path, token=joe).json()["events"]) >= len(lines)

        # If each batch waited for Valkey, this would take sixteen seconds.
        wait_for(all_are_numbered, 8)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    wait_for(broken.healthy, RECOVERY_SECONDS * broken.slowness)


def test_a_full_disk_is_survived(full_disk: "Future[tuple[float, Verdict]]") -> None:
    try:
        seconds, verdict = full_disk.result()
    except OSError as error:
        pytest.skip(f"No file system can be mounted here: {error}")
    assert seconds < RECOVERY_SECONDS
    assert not verdict.wrong, "\n".join(verdict.wrong)
    assert (verdict.lost, verdict.doubled, verdict.disordered) == (0, 0, 0)
