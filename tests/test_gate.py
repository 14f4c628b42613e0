"""One account attacks, and the others are served; all over real sockets."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.limits import forget_limits
from tests.system import System
from tests.wires import ask_all, head

pytestmark = pytest.mark.system

BULK = "/api/v1/purchases/bulk/"
EXPORT = "/api/v1/purchases/export.csv"
SCRIPT = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
LINES = 20_000
SECONDS = 6.0


@pytest.fixture(scope="module")
def tokens(system: System) -> tuple[str, str]:
    """Return the tokens of joe, who attacks with a list of some megabytes, and of ann."""
    forget_limits(system)
    joe, ann = system.token("joe"), system.token("ann")
    line = '{"price":"1","item":"%s %d"}'
    body = "\n".join(line % ("x" * 100, number) for number in range(LINES))
    answer = system.request(
        "POST", BULK, body.encode(), joe, 120, Content_Type="application/x-ndjson"
    )
    assert answer.json()["recorded"] == LINES
    return joe, ann


@contextmanager
def deaf(system: System, data: bytes, count: int) -> Iterator[list[socket.socket]]:
    """Send the request over ``count`` connections, and read nothing."""
    with ExitStack() as stack:
        wires = []
        for _ in range(count):
            wire = stack.enter_context(socket.socket())
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.connect(("127.0.0.1", system.port))
            wire.sendall(data)
            wires.append(wire)
        yield wires


def others_are_served(system: System, token: str) -> None:
    """Ask repeatedly as another account. Every answer must be good or clear, and in time."""
    paths = ["/api/v1/purchases/", "/api/v1/accounts/me/", "/accounts/login/", "/healthz"]
    for _ in range(3):
        told = ask_all(system.port, [head("GET", path, token) for path in paths])
        (alive,) = ask_all(system.port, [head("GET", "/livez")])
        assert [each.status for each in told] == [200] * len(told), system.request(
            "GET", "/healthz"
        ).body
        assert max(each.seconds for each in told) < SECONDS * system.slowness
        assert alive.status == 200
        assert alive.seconds < system.slowness
        time.sleep(0.3)


@pytest.mark.parametrize("path", [EXPORT, "/getAllUserBuys/joe", SCRIPT])
def test_clients_that_read_nothing_keep_nobody_out(
    system: System, tokens: tuple[str, str], path: str
) -> None:
    joe, ann = tokens
    with deaf(system, head("GET", path, joe), 24):
        others_are_served(system, ann)


def test_clients_that_leave_and_heads_of_exports_cost_nothing(
    system: System, tokens: tuple[str, str]
) -> None:
    joe, ann = tokens
    with deaf(system, head("GET", EXPORT, joe), 16):
        pass
    with deaf(system, head("HEAD", EXPORT, joe), 16):
        others_are_served(system, ann)
