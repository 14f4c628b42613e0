"""The publisher: it copies the event log to a topic of Kafka, in order, at least once.

It is no ``Follower``, because a follower's batch may have no effects outside of its transaction.
Here a batch is published, all of it is acknowledged, and only then the cursor moves. What dies in
between is published again.

Each customer's events stay in order: they have one key, so one partition. The producer is
idempotent and gives no message up, so what a broker has of a batch is its beginning. Whoever
publishes the batch again begins with it, too. A consumer that drops the positions it has seen has
each event once, in order.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import msgspec
import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from accounts.models import User
from events.models import Event
from events.representation import Numbered, Row, present
from events.selectors import latest_position
from shop.core.outages import is_outage
from stream import cursor

logger = structlog.get_logger(__name__)

BATCH = 1000
IDLE_SECONDS = 0.5
STANDBY_SECONDS = 2.0
RETRY_SECONDS = 2.0
FLUSH_SECONDS = 5.0
STOP_SECONDS = 10.0


class NotPublished(Exception):
    """Kafka refused a message, or the process ends before a batch was acknowledged."""


class Superseded(NotPublished):
    """Another process publishes now."""


def publish(stopping: threading.Event) -> None:
    """Publish until the event is set."""
    Publisher(settings.KAFKA, settings.KAFKA_TOPIC, stopping).run()


def client() -> Any:
    """Return the module of Kafka's client. Raise ``ImproperlyConfigured`` where it is missing."""
    try:
        import confluent_kafka
    except ImportError:
        raise ImproperlyConfigured(
            "KAFKA_BROKERS is set, and confluent-kafka is not installed:"
            " pip install -r requirements-kafka.txt"
        ) from None
    return confluent_kafka


class Publisher:
    """What one process publishes, while it holds the cursor."""

    def __init__(self, config: Mapping[str, Any], topic: str, stopping: threading.Event) -> None:
        self.holder = uuid4()
        self._config = {
            **config,
            "client.id": "scalable-shop",
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "gzip",
            # A message that was given up while later ones go on would break the order.
            "enable.gapless.guarantee": True,
            "message.timeout.ms": 0,
            "linger.ms": 5,
        }
        self._topic = topic
        self._stopping = stopping
        self._client = client()
        self._producer: Any = None
        self._errors: list[str] = []

    def run(self) -> None:
        """Publish until the process ends; let another one go on then."""
        try:
            while not self._stopping.is_set():
                pause = self._try()
                if pause:
                    connection.close()
                    self._stopping.wait(pause)
        finally:
            self._discard()
            cursor.release(self.holder)
            connection.close()

    def _try(self) -> float:
        try:
            return self.publish_next()
        except Superseded:
            self._discard()
            return STANDBY_SECONDS
        except Exception as error:
            self._discard()
            expected = isinstance(error, NotPublished | self._client.KafkaException)
            log = logger.warning if expected or is_outage(error) else logger.exception
            if not self._stopping.is_set():
                log("stream.failed", reason=type(error).__name__, detail=str(error)[:200])
            return RETRY_SECONDS

    def publish_next(self) -> float:
        """Publish the next batch; return in how many seconds to look again."""
        position = cursor.hold(self.holder)
        if position is None:
            return STANDBY_SECONDS
        events = _next_events(position)
        if not events:
            return IDLE_SECONDS
        # A newer version of the shop wrote an event, and only that version knows what it says.
        unknown = [i for i, (_, event) in enumerate(events) if "event" not in event.data]
        if unknown and unknown[0] == 0:
            cursor.release(self.holder)
            return STANDBY_SECONDS
        events = events[: unknown[0]] if unknown else events
        self._produce(events)
        self._flush()
        if not cursor.move(self.holder, position, events[-1][0].position):
            raise Superseded()
        return 0

    def _produce(self, events: Sequence[tuple[Row, Numbered]]) -> None:
        if self._producer is None:
            self._errors.clear()
            self._producer = self._client.Producer(self._config)
        customers = {row.customer_id for row, _ in events if row.customer_id is not None}
        keys: dict[int | None, str] = dict(
            User.objects.filter(pk__in=customers).values_list("pk", "userid")
        )
        connection.close()
        for row, event in events:
            key = keys.get(row.customer_id)
            self._producer.produce(
                self._topic,
                key=None if key is None else key.encode(),
                value=msgspec.json.encode(event.data),
                headers=[
                    ("position", str(row.position).encode()),
                    ("type", str(event.data["event"]).encode()),
                ],
                timestamp=int(row.at.timestamp() * 1000),
                on_delivery=self._noted,
            )

    def _noted(self, error: Any, message: Any) -> None:
        if error is not None:
            self._errors.append(str(error))

    def _flush(self) -> None:
        """Wait until all brokers have the batch, however long that takes."""
        waited = 0.0
        while self._producer.flush(FLUSH_SECONDS) > 0 and not self._errors:
            waited += FLUSH_SECONDS
            if self._stopping.is_set() and waited >= STOP_SECONDS:
                raise NotPublished("The process ends.")
            if cursor.hold(self.holder) is None:
                raise Superseded()
            connection.close()
            logger.warning("stream.waiting", seconds=waited)
        if self._errors:
            raise NotPublished(self._errors[0])

    def _discard(self) -> None:
        """Forget the producer, and all that it has not sent."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(0)
            self._producer = None


def _next_events(position: int) -> list[tuple[Row, Numbered]]:
    rows = [
        Row(*row)
        for row in Event.objects.filter(position__gt=position, position__lte=latest_position())
        .order_by("position")
        .values_list(*Row._fields)[:BATCH]
    ]
    return list(zip(rows, present(rows), strict=True))
