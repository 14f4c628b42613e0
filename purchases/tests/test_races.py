"""Many posts at the same moment, on the batched path and on the Django view.

A query string sends a request past the batched path to the view.
"""

import http.client
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from accounts.access import Caller
from accounts.models import User
from purchases.entries import Entry, Recorded
from purchases.models import Purchase
from purchases.services import record_purchases
from purchases.validation import parse_purchase
from shop.core.idempotency import IdempotencyKeyReused
from tests.system import Answer, System, wait_for

WHEN = "2024-05-31T15:54:32.204Z"
AT_ONCE = 200
API = "/api/v1/purchases/"
PATHS = [
    pytest.param(API, id="batched"),
    pytest.param(f"{API}?plain", id="view"),
    pytest.param("/buy", id="buy-batched"),
    pytest.param("/buy?plain", id="buy-view"),
]

# --- Without the guard ----------------------------------------------------------------------


def _look_then_insert(table: str, key: uuid.UUID, guard: str) -> None:
    """A naive get-or-create: look for the key, and insert it where it is missing."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table} WHERE dedupe_key = %s", [key])
        if cursor.fetchone() == (0,):
            cursor.execute(f"INSERT INTO {table} (dedupe_key) VALUES (%s) {guard}", [key])


def _rows_of_one_key(table: str, guard: str) -> int:
    """Return how many rows one key gets from 8 threads at once."""
    key, gate = uuid.uuid4(), threading.Barrier(8)

    def buy() -> None:
        try:
            connection.ensure_connection()
            gate.wait()
            _look_then_insert(table, key, guard)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=buy) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table} WHERE dedupe_key = %s", [key])
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_without_the_unique_key_the_same_posts_are_recorded_twice() -> None:
    """The race is real: it happens without the unique index."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE unguarded (dedupe_key uuid NOT NULL)")
        cursor.execute("CREATE TABLE guarded (dedupe_key uuid NOT NULL UNIQUE)")
    try:
        unguarded = [_rows_of_one_key("unguarded", "") for _ in range(40)]
        guarded = [_rows_of_one_key("guarded", "ON CONFLICT DO NOTHING") for _ in range(40)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE unguarded, guarded")
    assert max(unguarded) > 1
    assert set(guarded) == {1}


@pytest.mark.django_db
def test_of_two_bodies_of_one_key_in_one_batch_the_first_is_in_the_ledger() -> None:
    """Each answer is the stored purchase, in any order of the rows."""
    caller = Caller.of(User.objects.create(username="joe", userid="005"))
    keys = [uuid.uuid4().hex for _ in range(60)]
    entries = [
        Entry(caller, parse_purchase({"price": price, "timestamp": WHEN}, now=timezone.now()), key)
        for price in ("1.00", "2.00", "1.00", "3.00")
        for key in keys
    ]
    outcomes = record_purchases(entries)
    for place, (entry, outcome) in enumerate(zip(entries, outcomes, strict=True)):
        if entry.purchase.price != 1:
            assert isinstance(outcome, IdempotencyKeyReused)
            continue
        assert isinstance(outcome, Recorded)
        assert outcome.replayed is (place >= len(keys))
        stored = Purchase.objects.get(pk=outcome.purchase["id"])
        assert stored.price == entry.purchase.price
    assert Purchase.objects.count() == len(keys)


# --- With it --------------------------------------------------------------------------------


Post = tuple[str, str, dict[str, Any], str | None]
"""A path, a token, a body and an idempotency key."""


def _begin(system: System, post: Post) -> http.client.HTTPConnection:
    path, token, body, key = post
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    if key is not None:
        headers["Idempotency-Key"] = key
    connection = http.client.HTTPConnection("127.0.0.1", system.port, timeout=60)
    connection.request("POST", path, json.dumps(body).encode(), headers)
    return connection


def _end(connection: http.client.HTTPConnection) -> Answer:
    with closing(connection):
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


def _send(system: System, posts: Sequence[Post]) -> list[Answer]:
    """Send all posts at once, each on a connection of its own, before any answer is read.

    A post is repeated after 429 and 503, which mean that nothing was recorded.
    """
    answers: dict[int, Answer] = {}
    while left := [place for place in range(len(posts)) if place not in answers]:
        begun = [(place, _begin(system, posts[place])) for place in left]
        told = {place: _end(connection) for place, connection in begun}
        waits = {place: each.headers["Retry-After"] for place, each in told.items()}
        answers |= {place: each for place, each in told.items() if waits[place] is None}
        time.sleep(max(float(seconds or 0) for seconds in waits.values()))
    return [answers[place] for place in range(len(posts))]


def _body(number: int = 0, **fields: object) -> dict[str, Any]:
    """Return a body with a unique price, because the original routes have no item."""
    return {"price": f"{number}.{uuid.uuid4().int % 100:02}", "timestamp": WHEN, **fields}


def _id(answer: Answer) -> str:
    body = answer.json()
    return str(body.get("id") or body["_id"])


def _is_new(answer: Answer) -> bool:
    assert answer.status in (200, 201), answer.body
    return "Idempotent-Replayed" not in answer.headers


def _logged(system: System, token: str, after: int) -> list[str]:
    """Return the ids of the purchases in the event log after a position."""
    events: list[Any] = []
    position = after
    while True:
        page = system.request("GET", f"/api/v1/events/?after={position}&limit=5000", token=token)
        if not page.json()["events"]:
            return [event["purchase"]["id"] for event in events]
        events += page.json()["events"]
        position = page.json()["position"]


def _expect_logged(system: System, token: str, after: int, ids: set[str]) -> None:
    """Wait until the log holds each of these purchases once."""
    wait_for(lambda: set(_logged(system, token, after)) >= ids, 10)
    assert Counter(_logged(system, token, after)) == Counter(ids)


@pytest.fixture(scope="module")
def joe(system: System) -> str:
    return system.token("joe")


@pytest.fixture(scope="module")
def till(system: System) -> str:
    return system.token("till")


@pytest.mark.system
@pytest.mark.parametrize("path", PATHS)
def test_one_key_posted_200_times_at_once_is_one_purchase(
    system: System, joe: str, path: str
) -> None:
    after = system.log_end(joe)
    body, key = _body(), uuid.uuid4().hex
    answers = _send(system, [(path, joe, body, key)] * AT_ONCE)
    assert [_is_new(answer) for answer in answers].count(True) == 1
    (id,) = {_id(answer) for answer in answers}
    _expect_logged(system, joe, after, {id})


@pytest.mark.system
@pytest.mark.parametrize("path", [API, "/buy?plain"])
def test_one_content_posted_200_times_at_once_is_one_purchase(
    system: System, joe: str, path: str
) -> None:
    after = system.log_end(joe)
    body = _body(uuid.uuid4().int % 10**9)
    answers = _send(system, [(path, joe, body, None)] * AT_ONCE)
    assert [_is_new(answer) for answer in answers].count(True) == 1
    (id,) = {_id(answer) for answer in answers}
    _expect_logged(system, joe, after, {id})


@pytest.mark.system
@pytest.mark.parametrize("path", PATHS)
def test_mixed_keys_and_bodies_are_one_purchase_a_key(system: System, joe: str, path: str) -> None:
    after = system.log_end(joe)
    keys = [uuid.uuid4().hex for _ in range(10)]
    bodies = [_body(number) for number in (1, 2)]
    requests = [
        (path, joe, bodies[number // 10 % 2], keys[number % 10]) for number in range(AT_ONCE)
    ]
    answers = _send(system, requests)
    ids = set()
    for key in keys:
        mine = [
            (request[2], answer)
            for request, answer in zip(requests, answers, strict=True)
            if request[3] == key
        ]
        good = [(body, answer) for body, answer in mine if answer.status != 422]
        # One body won the key; all of its posts have the same answer, and all others are refused.
        (winner,) = {body["price"] for body, _ in good}
        assert all(answer.status == 422 for body, answer in mine if body["price"] != winner)
        assert [_is_new(answer) for _, answer in good].count(True) == 1
        (id,) = {_id(answer) for _, answer in good}
        ids.add(id)
    assert len(ids) == 10
    _expect_logged(system, joe, after, ids)


@pytest.mark.system
def test_both_paths_and_both_routes_share_one_key(system: System, joe: str) -> None:
    after = system.log_end(joe)
    body, key = _body(3), uuid.uuid4().hex
    paths = [API, f"{API}?plain", "/buy", "/buy?plain"]
    answers = _send(system, [(path, joe, body, key) for path in paths] * (AT_ONCE // 4))
    assert [_is_new(answer) for answer in answers].count(True) == 1
    (id,) = {_id(answer) for answer in answers}
    _expect_logged(system, joe, after, {id})


@pytest.mark.system
def test_a_key_is_its_callers_own(system: System, joe: str, till: str) -> None:
    after = system.log_end(joe)
    body, key = _body(4, username="joe", userid="005", item=uuid.uuid4().hex), uuid.uuid4().hex
    answers = _send(system, [(API, token, body, key) for token in (joe, till)] * (AT_ONCE // 2))
    assert [_is_new(answer) for answer in answers].count(True) == 2
    ids = {_id(answer) for answer in answers}
    assert len(ids) == 2
    _expect_logged(system, joe, after, ids)


@pytest.mark.system
def test_a_customer_named_by_200_posts_at_once_is_one_account(system: System, till: str) -> None:
    name = f"new-{uuid.uuid4().hex[:8]}"
    requests = [
        (
            (API, f"{API}?plain")[number % 2],
            till,
            _body(number, username=name, userid=name),
            None,
        )
        for number in range(AT_ONCE)
    ]
    answers = _send(system, requests)
    assert {answer.status for answer in answers} <= {200, 201}
    assert {answer.json()["userid"] for answer in answers} == {name}
    assert len({_id(answer) for answer in answers}) == AT_ONCE
