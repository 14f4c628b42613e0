"""Many bad requests cost no memory."""

from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.inputs.bad import BAD_JSON
from tests.inputs.wire import API, http
from tests.system import System

pytestmark = pytest.mark.system


def _web(system: System) -> psutil.Process:
    (pid,) = system.pids("uvicorn")
    return psutil.Process(pid)


def test_many_bad_requests_cost_no_memory(system: System, joe: str) -> None:
    process = _web(system)

    def flood(rounds: int) -> None:
        def one(number: int) -> None:
            body = BAD_JSON[number % len(BAD_JSON)]
            path = (API, "/buy", f"{API}?{number}", f"/api/v1/{number}/", f"{API}?cursor={number}")
            reply = http(system, "POST", path[number % 5], body, joe)
            assert 400 <= reply.status < 500 or "buy" in path[number % 5], (path, reply)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(one, range(rounds)))

    flood(400)
    before = process.memory_info().rss
    flood(1200)
    grown = process.memory_info().rss - before
    assert grown < 8 * 1024 * 1024, f"{grown / 1200:.0f} bytes a request"
