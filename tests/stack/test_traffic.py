"""Traffic through nginx: how much, from which addresses, and how it is refused."""

import contextlib
import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.stack.full_load import buy_for
from tests.stack.stack import HOST, Stack, docker, inspect, wait_for

TIME_WAIT = "06"
MANY = 2000
"""Far more connections than are kept open, and far fewer than requests."""
TRANSFERS = 4
"""NGINX_TRANSFERS of the stack."""


def connections_given_up(stack: Stack) -> int:
    """Return how many connections nginx has closed within the last minute."""
    table = docker("exec", stack.containers("nginx")[0], "cat", "/proc/net/tcp")
    return sum(line.split()[3] == TIME_WAIT for line in table.splitlines()[1:])


def test_no_request_fails_under_full_load(stack: Stack, load_seconds: float):
    nginx = stack.containers("nginx")[0]
    groups = docker("exec", nginx, "cat", "/etc/nginx/conf.d/upstreams.inc")
    before = int(stack.sql("SELECT count(*) FROM purchases_purchase"))
    outcome = buy_for(stack, load_seconds)
    bought = outcome.statuses[201]
    print(f"{bought} purchases in {load_seconds:.0f} s, {connections_given_up(stack)} given up")
    assert outcome.failures == {}
    assert bought > MANY
    # Every answer was a purchase, and none was sent twice.
    assert int(stack.sql("SELECT count(*) FROM purchases_purchase")) == before + bought
    # An nginx before 1.27.3 opens a connection for each request.
    assert connections_given_up(stack) < MANY or "resolve" not in groups


# --- from whom ----------------------------------------


def statuses(stack: Stack, addresses: list[str]) -> set[int]:
    """Ask for a token at once from each address, as a proxy in front reports it."""
    url = f"http://127.0.0.1:{stack.backend_port}/api/v1/auth/token"
    with httpx.Client(timeout=10) as client:
        return {
            client.post(url, headers={"X-Forwarded-For": address}).status_code
            for address in addresses
        }


def test_a_network_of_ipv6_counts_as_one_address(stack: Stack):
    assert 429 in statuses(stack, [f"2001:db8:1:2::{number:x}" for number in range(60)])
    for several in ("2001:db8:{:x}::1", "2001:db8::{:x}:0:0:0:1", "10.1.1.{}", "::ffff:10.1.2.{}"):
        assert 429 not in statuses(stack, [several.format(number) for number in range(1, 61)])


@contextlib.contextmanager
def stalled_uploads(
    stack: Stack, count: int, length: int = 50_000
) -> Iterator[list[socket.socket]]:
    """Open connections whose bodies do not arrive."""
    head = (
        f"POST /api/v1/purchases/ HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-For: 10.1.3.1\r\n"
        "Content-Length: 50000\r\n\r\n"
    )
    with contextlib.ExitStack() as stack_of_sockets:
        opened = []
        for _ in range(count):
            address = ("127.0.0.1", stack.backend_port)
            one = stack_of_sockets.enter_context(socket.create_connection(address, 10))
            one.sendall(head.encode())
            opened.append(one)
        yield opened


def test_an_address_has_so_many_large_bodies_at_a_time(stack: Stack):
    with stalled_uploads(stack, TRANSFERS + 1) as opened:
        answered = wait_for(lambda: [said for one in opened if (said := peek(one))], 5)
        assert len(answered) == 1
        assert b" 429 " in answered[0]
        assert b'"code":"throttled"' in answered[0]
        # Small requests of the same address pass.
        with httpx.Client(headers={"X-Forwarded-For": "10.1.3.1", "Host": HOST}) as client:
            url = f"http://127.0.0.1:{stack.backend_port}/api/v1/purchases/"
            assert client.post(url, json={"price": "1"}).status_code == 401


def peek(one: socket.socket) -> bytes:
    one.setblocking(False)
    try:
        return one.recv(4096, socket.MSG_PEEK)
    except BlockingIOError:
        return b""


def test_an_export_that_nobody_reads_is_stored_nowhere(stack: Stack):
    docker_words = ["exec", stack.containers("nginx")[0], "du", "-sk", "/var/cache/nginx"]
    with (
        stack.client("staff") as client,
        client.stream("GET", "/api/v1/purchases/export.csv") as answer,
    ):
        assert answer.status_code == 200
        first = next(answer.iter_bytes(1024))
        assert first
        assert int(docker(*docker_words).split()[0]) < 1024


# --- where to ----------------------------------------


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("method", "path", "service"),
    [
        ("POST", "/api/v1/purchases", "live"),
        ("POST", "/buy", "live"),
        ("GET", "/api/v1/events", "live"),
        ("GET", "/api/v1/purchases", "web"),
        ("POST", "/api/v1/purchases/bulk", "web"),
    ],
)
def test_each_route_has_its_process_with_and_without_a_slash(
    stack: Stack, method: str, path: str, slash: str, service: str
):
    with stack.client() as client:
        identity = client.request(method, f"{path}{slash}").headers["X-Request-ID"]
    line = wait_for(lambda: logged(stack, identity), 5)
    address = inspect(
        stack.containers(service)[0], "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    )
    assert line["upstream"].removesuffix(":8000") in address.split()


def logged(stack: Stack, identity: str) -> dict[str, str] | None:
    lines = docker("logs", "--tail", "200", stack.containers("nginx")[0]).splitlines()
    return next((json.loads(line) for line in lines if identity in line), None)


@pytest.mark.parametrize("path", ["/api/v1/purchases/bulk", "/api/v1/purchases/bulk/"])
def test_a_bulk_body_may_be_large(stack: Stack, path: str):
    with stack.client("till") as client:
        answer = client.post(
            path,
            content=f"{'{}':6000}\n".encode() * 200,
            headers={"Content-Type": "application/x-ndjson"},
        )
    assert answer.status_code != 413, answer.text


# --- refused by nginx itself ----------------------------------------


def said_to(stack: Stack, head: str, body: str = "") -> tuple[int, str, str]:
    """Send what no client library would. Return status, content type and body."""
    with socket.create_connection(("127.0.0.1", stack.backend_port), 10) as connection:
        connection.sendall(f"{head}\r\n\r\n{body}".encode("latin-1"))
        return answer_of(connection)


def answer_of(connection: socket.socket) -> tuple[int, str, str]:
    file = connection.makefile("rb")
    status = int(file.readline().split()[1])
    fields = {}
    while (line := file.readline().strip()) != b"":
        name, _, value = line.decode().partition(": ")
        fields[name.lower()] = value
    return status, fields["content-type"], file.read(int(fields["content-length"])).decode()


LONG = "x" * 70_000
MALFORMED = [
    ("POST {} HTTP/1.1\r\nHost: shop.test\r\nContent-Length: x", 400, "bad_request"),
    ("GET {} HTTP/1.1", 400, "bad_request"),
    ("TRACE {} HTTP/1.1\r\nHost: shop.test", 405, "method_not_allowed"),
    ("POST {} HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 9999999", 413, "payload_too_large"),
    ("GET {}?" + LONG + " HTTP/1.1\r\nHost: shop.test", 414, "uri_too_long"),
    ("GET {} HTTP/1.1\r\nHost: evil.example", 421, "unknown_host"),
    ("GET {} HTTP/1.1\r\nHost: shop.test\r\nA: " + LONG, 431, "headers_too_large"),
    (
        "POST {} HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: gzip",
        501,
        "not_implemented",
    ),
    ("GET {} HTTP/3.1\r\nHost: shop.test", 505, "http_version_not_supported"),
]


@pytest.mark.parametrize(("head", "status", "code"), MALFORMED, ids=[one[2] for one in MALFORMED])
def test_nginx_refuses_in_the_words_of_the_interface(
    stack: Stack, head: str, status: int, code: str
):
    found, kind, body = said_to(stack, head.format("/api/v1/purchases/"))
    assert (found, kind) == (status, "application/json")
    assert json.loads(body)["errors"][0]["code"] == code
    assert json.loads(body)["type"] == ("server_error" if status >= 500 else "client_error")
    found, kind, body = said_to(stack, head.format("/buy"))
    assert found == status
    if code != "http_version_not_supported":
        assert json.loads(body)["status"] == "Error"
        found, kind, body = said_to(stack, head.format("/purchases/"))
        assert kind.startswith("text/html")
