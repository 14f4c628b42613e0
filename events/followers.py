"""Followers: they derive data from the event log, each with a cursor of its own.

A follower names the types of events that it wants, and applies them in batches. Its row in
``events_followercursor`` holds its position, and the process that has locked the row leads. One
transaction moves the position and writes the derived data. So each event is applied exactly once,
wherever a process dies, and however many processes run.

An app declares its followers in its ``ShopAppConfig``::

    followers = ("insight.statistics.follower.Statistics",)

A follower with ``versions`` keeps them side by side in its tables. A rebuild derives a new version
from position 0, while readers go on with the old one, which moves with the log, too. The
transaction in which the new one reaches the old one's position replaces it. The old one's rows are
then removed, a few at a time.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import structlog
from django.db import connection, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from events.models import Event, FollowerCursor
from events.representation import Row
from events.selectors import latest_position
from events.types import EventType
from shop.core.apps import shop_apps
from shop.core.outages import is_outage, sqlstate

logger = structlog.get_logger(__name__)

BATCH = 1000
# How long a follower that has applied everything waits before it reads again.
IDLE_SECONDS = 0.5
# A follower retries a failed batch after 1 s, and then after twice as long each time.
RETRY_MAX_SECONDS = 60
LOCK_NOT_AVAILABLE = "55P03"


class StandingBy(Exception):
    """Another process leads."""


@dataclass(frozen=True, slots=True)
class Batch:
    """All wanted events after the position ``after``, up to ``until``, in order.

    The rows are those of the log, which hold no payload where a type has a loader. ``version`` is
    that of the data which the batch is added to; it stays 0 without ``versions``.
    """

    after: int
    until: int
    events: Sequence[Row]
    version: int = 0


class Follower(ABC):
    """A derivation of the event log. Its name never changes, because it is the key of a row."""

    name: ClassVar[str]
    types: ClassVar[Sequence[EventType]]
    batch: ClassVar[int] = BATCH
    pause: ClassVar[float] = IDLE_SECONDS
    """How many seconds it waits where it has applied everything."""
    reads_events: ClassVar[bool] = True
    """Whether ``apply`` needs the events. If not, it gets only the positions of a batch."""
    versions: ClassVar[bool] = False
    """Whether the tables hold versions, so that a rebuild takes nothing from readers."""

    @abstractmethod
    def apply(self, cursor: Any, batch: Batch) -> None:
        """Derive data from a batch, inside the cursor's transaction and without other effects.

        An exception rolls the batch back, and the batch is retried later; no event is skipped.
        """

    def reset(self, cursor: Any) -> None:
        """Remove all derived data, in the cursor's transaction. Without ``versions`` only."""
        raise NotImplementedError

    def discard(self, cursor: Any, kept: Sequence[int]) -> bool:
        """Remove some rows of versions that are not kept; return whether more may be left.

        One call takes at most about a second. With ``versions`` only.
        """
        raise NotImplementedError


def every_declared() -> list[Follower]:
    """Return every follower that an app declares, also two with the same name."""
    return [import_string(path)() for config in shop_apps() for path in config.followers]


def declared_followers() -> dict[str, Follower]:
    """Return every follower that an app declares, by name."""
    return {follower.name: follower for follower in every_declared()}


def follow(follower: Follower) -> float:
    """Apply the next batch of events; return in how many seconds to look again.

    Raise ``StandingBy`` where another process leads, and the database's errors in an outage. Log
    any other failure, and note it for health and metrics.
    """
    try:
        return _apply_next(follower)
    except StandingBy:
        raise
    except Exception as error:
        log = logger.warning if is_outage(error) else logger.exception
        log("follower.failed", follower=follower.name, reason=type(error).__name__)
        return _note_failure(follower, type(error).__name__)


def rebuild(follower: Follower) -> None:
    """Let the follower derive everything anew from position 0.

    Wait for the current batch to end; raise the database's error where that takes too long.
    """
    _make_row(follower)
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        row = FollowerCursor.objects.select_for_update().get(pk=follower.name)
        if follower.versions:
            row.begin_version()
        else:
            follower.reset(cursor)
            row.move_to(0)
    logger.info("follower.rebuilding", follower=follower.name)


def _apply_next(follower: Follower) -> float:
    # The lock on the row elects the leader, and fences off an earlier leader that still runs.
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        row = _lock(follower)
        now = timezone.now()
        if row is not None and row.retry_at is not None and row.retry_at > now:
            return (row.retry_at - now).total_seconds()
        if row is not None:
            until, more = _apply_batch(follower, cursor, row.position, row.version)
            if until > row.position:
                row.move_to(until)
            if row.next_version is not None and row.next_position is not None:
                until, _more = _apply_batch(follower, cursor, row.next_position, row.next_version)
                more = True
                row.move_next_to(until)
            elif row.has_leftovers:
                more = True
                if not follower.discard(cursor, [row.version]):
                    row.note_leftovers(False)
            return 0 if more else follower.pause
    _make_row(follower)
    return 0


def _apply_batch(follower: Follower, cursor: Any, after: int, version: int) -> tuple[int, bool]:
    """Apply the next events to a version; return the new position, and whether more may wait."""
    batch = _next_batch(follower, after, version)
    size = len(batch.events) if follower.reads_events else batch.until - after
    if size:
        follower.apply(cursor, batch)
    return batch.until, size == follower.batch


def _lock(follower: Follower) -> FollowerCursor | None:
    try:
        return (
            FollowerCursor.objects.select_for_update(nowait=True).filter(pk=follower.name).first()
        )
    except Exception as error:
        if sqlstate(error) == LOCK_NOT_AVAILABLE:
            raise StandingBy from None
        raise


def _next_batch(follower: Follower, position: int, version: int) -> Batch:
    end = latest_position()
    if not follower.reads_events:
        return Batch(position, max(position, min(end, position + follower.batch)), (), version)
    rows = (
        Event.objects.filter(
            position__gt=position,
            position__lte=end,
            type__in=sorted(type.number for type in follower.types),
        )
        .order_by("position")
        .values_list(*Row._fields)
    )
    events = [Row(*row) for row in rows[: follower.batch]]
    # A batch that is not full reaches the end of the log that was read before it.
    until = events[-1].position if len(events) == follower.batch else max(end, position)
    return Batch(position, until, events, version)


def _make_row(follower: Follower) -> None:
    FollowerCursor.objects.bulk_create([FollowerCursor(pk=follower.name)], ignore_conflicts=True)


def _note_failure(follower: Follower, reason: str) -> float:
    """Note in the row that a batch failed; return in how many seconds it is retried."""
    _make_row(follower)
    with transaction.atomic(durable=True):
        row = FollowerCursor.objects.select_for_update().get(pk=follower.name)
        seconds = min(2**row.failures, RETRY_MAX_SECONDS)
        now = timezone.now()
        row.failures = min(row.failures + 1, 30)
        row.failing_since = row.failing_since or now
        row.retry_at = now + timedelta(seconds=seconds)
        row.reason = reason[: FollowerCursor.REASON_MAX_LENGTH]
        row.save(update_fields=["failures", "failing_since", "retry_at", "reason"])
    return seconds
