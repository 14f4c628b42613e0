"""Single purchases get the same answers in batches as one by one.

Many requests, good and bad, go to the batched path at once. The same requests go one by one to the
Django view, because they have a query string.
"""

import http.client
import json
import os
import signal
import socket
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import pytest

from tests.parity.requests import (
    API,
    CALLERS,
    OTHER_RUN,
    RUN,
    UNKNOWN,
    VIEW,
    Request,
    Requests,
)
from tests.system import Answer, System

pytestmark = pytest.mark.system

AT_ONCE = 150


@contextmanager
def _paused(system: System) -> Iterator[None]:
    """Stop the web process, so that all requests sent meanwhile reach it at once."""
    pids = system.pids("shop.asgi:application")
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _end(connection: http.client.HTTPConnection) -> Answer:
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


class Run:
    """One of the two paths. Keeps what was acknowledged."""

    def __init__(self, system: System, tokens: dict[str, str], at_once: int) -> None:
        self.system = system
        self.tokens = tokens
        self.at_once = at_once
        self.answered = 0
        # The acknowledged purchases by their ids.
        self.numbers: dict[str, int] = {}
        self.shown: dict[str, set[bytes]] = defaultdict(set)

    def send(self, requests: Sequence[Request]) -> list[Answer]:
        """Send requests, as many at once as allowed. Return the answers in the same order."""
        answers: list[Answer] = []
        for start in range(0, len(requests), self.at_once):
            some = requests[start : start + self.at_once]
            connections = [
                http.client.HTTPConnection("127.0.0.1", self.system.port, timeout=30) for _ in some
            ]
            if self.at_once > 1:
                # The server accepts connections one by one, but reads open ones together.
                for connection in connections:
                    self._begin(connection, UNKNOWN)
                assert all(_end(connection).status == 401 for connection in connections)
                for connection in connections:
                    # Space for a request that nobody reads yet.
                    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024)
            with _paused(self.system) if self.at_once > 1 else nullcontext():
                for connection, request in zip(connections, some, strict=True):
                    self._begin(connection, request)
            for connection in connections:
                answers.append(_end(connection))
                connection.close()
        return [self._normalised(answer) for answer in answers]

    def _begin(self, connection: http.client.HTTPConnection, request: Request) -> None:
        headers = [
            ("Authorization", request.authorization),
            ("Content-Type", request.content_type),
            ("Idempotency-Key", request.key),
            *request.headers,
        ]
        names = {name for name, _ in headers}
        connection.putrequest(
            "POST", request.path, skip_host="Host" in names, skip_accept_encoding=True
        )
        for name, value in headers:
            if value is not None:
                if name == "Authorization":
                    value = value.format(**self.tokens)
                connection.putheader(name, value)
        if "Transfer-Encoding" not in names:
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body)

    def _normalised(self, answer: Answer) -> Answer:
        """Return the answer without what is different for every purchase.

        A purchase's id is replaced by the number of the answer that showed it first.
        """
        self.answered += 1
        body = answer.body
        if answer.status in (200, 201):
            shown = json.loads(body)
            id = shown.get("id") or shown["_id"]
            number = self.numbers.setdefault(id, self.answered)
            body = body.replace(id.encode(), b"purchase %d" % number)
            if "received_at" in shown:
                self.shown[id].add(answer.body)
                # The timestamp, too, if the server has set it.
                body = body.replace(shown["received_at"].encode(), b"received")
        return replace(answer, body=body.replace(OTHER_RUN.encode(), RUN.encode()))


# Headers that only the view sends, and headers that differ between any two answers.
NOT_COMPARED = {
    *("allow", "content-security-policy", "cross-origin-opener-policy", "x-frame-options"),
    *("cache-control", "date", "location", "x-request-id"),
}


Compared = tuple[int, bytes, list[tuple[str, str]]]


def _compared(requests: list[Request], answers: list[Answer]) -> dict[Request, list[Compared]]:
    """Return what must be equal. Of equal requests any may have been first."""
    compared: dict[Request, list[Compared]] = defaultdict(list)
    for request, answer in zip(requests, answers, strict=True):
        headers = sorted(each for each in answer.headers.items() if each[0] not in NOT_COMPARED)
        compared[request].append((answer.status, answer.body, headers))
    return {request: sorted(of_one) for request, of_one in compared.items()}


def _ledger(system: System, staff: str) -> dict[str, bytes]:
    lines = system.request("GET", f"{API}export.jsonl", token=staff).body.splitlines()
    return {json.loads(line)["id"]: line for line in lines}


def test_answers_are_the_same_in_batches_and_one_by_one(system: System) -> None:
    tokens = {name: system.token(name) for name in CALLERS}
    before = _ledger(system, tokens["staff"])
    batched, plain = Run(system, tokens, AT_ONCE), Run(system, tokens, 1)
    requests = Requests(seed=2024)
    sent: list[Request] = []
    statuses: set[int] = set()
    taken: Counter[int] = Counter()

    def compare(wave: list[Request]) -> list[Request]:
        """Send requests on both paths. Return those that were acknowledged."""
        requests.random.shuffle(wave)
        sent.extend(wave)
        answers = batched.send(wave)
        others = plain.send([request.of_other_run() for request in wave])
        here, there = _compared(wave, answers), _compared(wave, others)
        different = [
            "\n".join(str(each)[:600] for each in (request, here[request], there[request]))
            for request in here
            if here[request] != there[request]
        ]
        assert not different, f"{len(different)}, first\n" + "\n".join(different[:5])
        # A repeated header is refused before either path.
        elsewhere = [one for one in others if VIEW not in one.headers]
        assert not [one for one in elsewhere if b'"repeated"' not in one.body]
        statuses.update(answer.status for answer in answers)
        taken.update(answer.status for answer in answers if VIEW not in answer.headers)
        return [
            request
            for request, answer in zip(wave, answers, strict=True)
            if answer.status in (200, 201)
        ]

    recorded = compare(list(requests.first()))
    compare(list(requests.second(recorded)))
    compare(requests.random.sample(sent, 120))

    assert len(sent) > 700
    assert statuses == {200, 201, 400, 401, 403, 409, 415, 422}
    assert taken >= Counter({200: 200, 201: 100, 400: 4, 401: 4, 403: 20, 409: 20, 422: 50})
    new = {id: line for id, line in _ledger(system, tokens["staff"]).items() if id not in before}
    assert new.keys() == batched.numbers.keys() | plain.numbers.keys()
    for id, bodies in [*batched.shown.items(), *plain.shown.items()]:
        assert bodies == {new[id]}
    # All purchases of one transaction have the same time of receipt.
    shared, alone = (
        Counter(json.loads(new[id])["received_at"] for id in run.numbers)
        for run in (batched, plain)
    )
    assert len(batched.numbers) > 3 * len(shared)
    assert len(plain.numbers) == len(alone)
