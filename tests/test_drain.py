"""A process that gets SIGTERM: open requests are answered, and waiting ones end at once."""

import contextlib
import http.client
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from accounts.models import Token, User
from tests.system import free_port, wait_for
from tests.web import serving

UPLOAD_SECONDS = 8.0


class Asking(threading.Thread):
    """One request that takes a while, and the time of its answer."""

    def __init__(self, request: httpx.Request) -> None:
        super().__init__(daemon=True)
        self.request = request
        self.answer: httpx.Response | None = None
        self.answered = 0.0
        self.start()

    def run(self) -> None:
        with httpx.Client(timeout=60) as client:
            self.answer = client.send(self.request)
        self.answered = time.monotonic()


def slow_body() -> Iterator[bytes]:
    end = time.monotonic() + UPLOAD_SECONDS
    number = 0
    while time.monotonic() < end:
        number += 1
        line = json.dumps({"item": f"book {number}", "price": "1"})
        yield f"{line:4000}\n".encode()
        time.sleep(0.2)


@pytest.mark.django_db(transaction=True)
def test_only_open_requests_hold_up_the_end() -> None:
    user = User.objects.create(username="joe", userid="005", email="joe@example.com")
    headers = {"Authorization": f"Token {Token.objects.create(user)[1]}"}
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with serving(port) as process, httpx.Client() as idle:
        assert idle.get(f"{url}/livez").status_code == 200
        upload = Asking(
            httpx.Request(
                "POST",
                f"{url}/api/v1/purchases/bulk/",
                headers=headers | {"Content-Type": "application/x-ndjson"},
                content=slow_body(),
            )
        )
        poll = Asking(
            httpx.Request("GET", f"{url}/api/v1/events/?after=0&wait=30", headers=headers)
        )
        address = f"ws://127.0.0.1:{port}/ws/purchases/"
        with connect(address, additional_headers=headers, proxy=None) as feed:
            assert json.loads(feed.recv(timeout=10))["type"] == "hello"
            time.sleep(1)
            process.send_signal(signal.SIGTERM)
            told = time.monotonic()
            with pytest.raises(ConnectionClosed) as closed:
                feed.recv(timeout=3)
            assert closed.value.rcvd
            assert closed.value.rcvd.code == 1012
        poll.join(3)
        assert poll.answer
        assert poll.answer.json()["events"] == []
        assert poll.answered - told < 2
        upload.join(UPLOAD_SECONDS + 5)
        assert upload.answer
        assert upload.answer.status_code == 200, upload.answer.text
        assert process.wait(5) is not None
        assert time.monotonic() - upload.answered < 5


@pytest.mark.django_db(transaction=True)
def test_a_purchase_on_an_idle_connection_is_answered_when_the_process_ends() -> None:
    """A proxy that keeps its connections sends so, and must not repeat a purchase."""
    user = User.objects.create(username="joe", userid="005", email="joe@example.com")
    headers = {"Authorization": f"Token {Token.objects.create(user)[1]}"}
    port = free_port()
    with serving(port) as process, contextlib.ExitStack() as stack:
        kept = [stack.enter_context(contextlib.closing(idle_connection(port))) for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: not listens(port), 5)
        body = json.dumps({"price": "1"})
        for one, path in zip(kept, ("/api/v1/purchases/", "/buy"), strict=False):
            one.request("POST", path, body, headers | {"Content-Type": "application/json"})
        kept[2].request("GET", "/ws/purchases/", headers=headers | UPGRADE)
        answers = [one.getresponse() for one in kept]
        assert [answer.status for answer in answers] == [201, 200, 503]
        assert {answer.headers["Connection"] for answer in answers} == {"close"}
        assert process.wait(5) is not None


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def idle_connection(port: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/livez")
    connection.getresponse().read()
    return connection


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
