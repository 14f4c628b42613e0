"""The stream: each event at least once, in order for its customer, whoever dies."""

import io
import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from accounts.models import User
from events.models import Event
from events.services import emit
from events.tests.conftest import toy
from events.tests.log import number
from events.tests.toy.types import INVOICE
from shop.core.health import Unhealthy
from stream import publisher
from stream.checks import check_client
from stream.cursor import check_stream, hold, move
from stream.models import StreamCursor
from stream.publisher import Publisher
from stream.tests.cluster import Cluster, running_cluster
from tests.system import wait_for

__all__ = ["toy"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("toy")]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with running_cluster() as found:
        yield found


@pytest.fixture
def customers(db: None) -> list[User]:
    return [User.objects.create_user(f"c{n}", userid=f"id-{n}") for n in range(3)]


@contextmanager
def publishing(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setattr(publisher, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(publisher, "FLUSH_SECONDS", 0.2)
    monkeypatch.setattr(publisher, "STOP_SECONDS", 0.2)
    monkeypatch.setattr(publisher, "BATCH", 20)
    stopping = threading.Event()
    config = {"bootstrap.servers": cluster.servers, "reconnect.backoff.max.ms": 200}
    one = Publisher(config, Cluster.TOPIC, stopping)
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        yield one
    finally:
        stopping.set()
        thread.join()


def _write(customers: list[User], count: int) -> None:
    with transaction.atomic():
        for n in range(count):
            data = {"number": str(n), "total": "0.10"}
            emit(INVOICE, customer=customers[n % len(customers)].pk, data=data)
    with transaction.atomic():
        number(limit=count)


def _position() -> int:
    row = StreamCursor.objects.filter(pk=StreamCursor.NAME).first()
    return row.position if row else 0


def _check(cluster: Cluster, customers: list[User]) -> list[int]:
    """Check what a consumer gets; return all positions of all messages."""
    positions = []
    firsts: defaultdict[bytes, list[int]] = defaultdict(list)
    partitions: defaultdict[bytes, set[int]] = defaultdict(set)
    for message in cluster.messages():
        headers = dict(message.headers())
        position = int(headers["position"])
        event = json.loads(message.value())
        assert (event["position"], event["event"]) == (position, headers["type"].decode())
        assert event["customer"] == message.key().decode()
        positions.append(position)
        partitions[message.key()].add(message.partition())
        if position not in firsts[message.key()]:
            firsts[message.key()].append(position)
    log: defaultdict[bytes, list[int]] = defaultdict(list)
    userids = {user.pk: user.userid.encode() for user in customers}
    for event in Event.objects.order_by("position"):
        log[userids[int(event.customer_id or 0)]].append(event.position)
    assert firsts == log
    assert all(len(numbers) == 1 for numbers in partitions.values())
    return positions


def test_each_event_is_there_in_order_though_brokers_die(
    cluster: Cluster, customers: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(customers, 30)
    with publishing(cluster, monkeypatch):
        wait_for(lambda: _position() == 30)
        assert sorted(_check(cluster, customers)) == list(range(1, 31))
        # One broker dies; its partitions wait for it, and the cursor with them.
        cluster.kill(1)
        _write(customers, 30)
        time.sleep(0.5)
        cluster.start(1)
        wait_for(lambda: _position() == 60)
        # All die. Whoever buys does not notice.
        cluster.kill()
        _write(customers, 30)
        time.sleep(0.5)
        assert _position() == 60
        cluster.start()
        wait_for(lambda: _position() == 90)
    assert set(_check(cluster, customers)) == set(range(1, 91))


def test_a_publisher_that_dies_anywhere_leaves_nothing_out(
    cluster: Cluster, customers: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    # It dies after the brokers have a batch, and before the cursor moves.
    died = []

    def die(*_: Any) -> bool:
        died.append(True)
        raise RuntimeError("killed")

    _write(customers, 50)
    with monkeypatch.context() as patch:
        patch.setattr(publisher.cursor, "move", die)
        with publishing(cluster, monkeypatch):
            wait_for(lambda: died)
    assert _position() == 0
    # It dies while no broker answers.
    cluster.kill()
    with publishing(cluster, monkeypatch):
        time.sleep(0.5)
    cluster.start()
    # Two at once: one publishes, and a claim that ran out is worth nothing.
    with publishing(cluster, monkeypatch) as one, publishing(cluster, monkeypatch) as two:
        wait_for(lambda: _position() == 50)
        holder = StreamCursor.objects.get().holder
        assert holder in (one.holder, two.holder)
        other = two if holder == one.holder else one
        assert hold(other.holder) is None
        assert not move(other.holder, 50, 60)
    assert StreamCursor.objects.get().holder is None
    positions = _check(cluster, customers)
    assert set(positions) == set(range(1, 51))
    assert len(positions) > 50


def test_a_replay_publishes_everything_after_a_position_again(
    cluster: Cluster, customers: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(customers, 6)
    with pytest.raises(Unhealthy, match="6 events"):
        check_stream()
    with publishing(cluster, monkeypatch):
        wait_for(lambda: _position() == 6)
        check_stream()
        call_command("stream_replay", "--after", "4", stdout=io.StringIO())
        wait_for(lambda: len(cluster.messages()) == 8)
        wait_for(lambda: _position() == 6)
    assert sorted(_check(cluster, customers)) == [1, 2, 3, 4, 5, 5, 6, 6]
    for wrong in ("7", "-1"):
        with pytest.raises(CommandError):
            call_command("stream_replay", "--after", wrong)


def test_without_the_client_the_site_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    assert check_client() == []
    settings.KAFKA_BROKERS = ["kafka:9092"]
    assert check_client() == []
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    (error,) = check_client()
    assert "pip install -r requirements-kafka.txt" in error.msg
