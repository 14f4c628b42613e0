"""Clients of a stack that should notice nothing: buyers, an upload, followers of the feed."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from tests.stack.stack import Stack


class Follower(threading.Thread):
    """Follows the feed as clients should: when a socket ends, it resumes after its position.

    ``events`` are the received events in order; ``codes`` are the close codes of ended sockets.
    """

    def __init__(self, stack: Stack, username: str = "staff", query: str = "scope=all") -> None:
        super().__init__(daemon=True)
        self.stack, self.username, self.query = stack, username, query
        self.events: list[dict[str, Any]] = []
        self.codes: list[int] = []
        self.refused = 0
        self.position: int | None = None
        self.ready = threading.Event()
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            after = "" if self.position is None else f"&after={self.position}"
            try:
                with self.stack.socket(self.username, self.query + after) as socket:
                    self.follow(socket)
            except ConnectionClosed as error:
                self.codes.append(error.rcvd.code if error.rcvd else 1006)
            except (OSError, InvalidStatus, TimeoutError):
                self.refused += 1
                time.sleep(0.1)

    def follow(self, socket: ClientConnection) -> None:
        while not self.stopping.is_set():
            try:
                message = json.loads(socket.recv(timeout=0.5))
            except TimeoutError:
                continue
            if message["type"] == "hello" and self.position is None:
                self.position = message["position"]
                self.ready.set()
            if message["type"] == "events":
                self.events += message["events"]
                self.position = message["position"]

    @property
    def items(self) -> list[str]:
        return [event["purchase"]["item"] for event in self.events]

    def __enter__(self) -> "Follower":
        self.start()
        assert self.ready.wait(20)
        return self

    def __exit__(self, *error: object) -> None:
        self.stopping.set()
        self.join(15)

    def check_order(self) -> None:
        positions = [event["position"] for event in self.events]
        assert positions == sorted(set(positions))


class Load(threading.Thread):
    """One caller that keeps asking and stores failures. It repeats no request."""

    def __init__(self, stack: Stack, number: int) -> None:
        super().__init__(daemon=True)
        self.stack, self.number = stack, number
        self.stopping = threading.Event()
        self.done = 0
        self.bought: list[str] = []
        self.failed: list[str] = []

    def run(self) -> None:
        with self.stack.client("till") as client:
            while not self.stopping.is_set():
                for ask in (self.buy, self.read, self.page):
                    try:
                        answer = ask(client)
                        self.done += 1
                        if answer.status_code not in (200, 201):
                            took = answer.elapsed.total_seconds()
                            self.failed.append(f"{ask.__name__} {answer.status_code} {took:.1f} s")
                    except httpx.HTTPError as error:
                        self.failed.append(f"{ask.__name__} {error!r}")

    def buy(self, client: httpx.Client) -> httpx.Response:
        item = f"{self.number}-{self.stack.item()}"
        body = {"username": "joe", "userid": "005", "price": "1.50", "item": item}
        answer = client.post("/api/v1/purchases/", json=body)
        if answer.status_code == 201:
            self.bought.append(item)
        return answer

    @staticmethod
    def read(client: httpx.Client) -> httpx.Response:
        return client.get("/api/v1/purchases/?page_size=1")

    @staticmethod
    def page(client: httpx.Client) -> httpx.Response:
        return client.get("/documentation/openapi.json", headers={"Authorization": ""})


class Upload(threading.Thread):
    """A bulk request that goes on until it is told to end its body."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self.stack = stack
        self.items: list[str] = []
        self.ending = threading.Event()
        self.answer: httpx.Response | None = None

    def run(self) -> None:
        with self.stack.client("till", timeout=60) as client:
            self.answer = client.post(
                "/api/v1/purchases/bulk/",
                content=self.lines(),
                headers={"Content-Type": "application/x-ndjson"},
            )

    def lines(self) -> Iterator[bytes]:
        # A body slower than 16 kB a second is cut off.
        while not self.ending.wait(0.2):
            self.items.append(self.stack.item())
            line = {"username": "joe", "userid": "005", "price": "1", "item": self.items[-1]}
            yield f"{json.dumps(line):5000}\n".encode()

    def end(self) -> httpx.Response:
        """End the body. Return the answer."""
        self.ending.set()
        self.join(60)
        assert self.answer, "The bulk request was cut."
        return self.answer


@dataclass
class Watch:
    """What runs beside an event that no client should notice."""

    loads: list[Load]
    followers: list[Follower] = field(default_factory=list)


@contextlib.contextmanager
def everything_watched(stack: Stack, loads: int = 3, followers: int = 3) -> Iterator[Watch]:
    """Load the stack and follow its feed during the block. Nothing may fail or be missed."""
    watch = Watch([Load(stack, number) for number in range(loads)])
    watch.followers = [Follower(stack) for _ in range(followers)]
    for follower in watch.followers:
        follower.__enter__()
    try:
        for load in watch.loads:
            load.start()
        yield watch
        time.sleep(2)
    finally:
        for load in watch.loads:
            load.stopping.set()
        for load in watch.loads:
            load.join(40)
        bought = [item for load in watch.loads for item in load.bought]
        for follower in watch.followers:
            deadline = time.monotonic() + 20
            while not set(bought) <= set(follower.items) and time.monotonic() < deadline:
                time.sleep(0.1)
            follower.__exit__()
    failed = [problem for load in watch.loads for problem in load.failed]
    assert not failed, failed
    assert sum(load.done for load in watch.loads) > 100
    for follower in watch.followers:
        follower.check_order()
        assert sorted(item for item in follower.items if item in set(bought)) == sorted(bought)
