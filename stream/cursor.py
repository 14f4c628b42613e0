"""The cursor of the stream: who publishes, and how far everything is in Kafka."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from events.selectors import PositionUnknown, latest_position
from shop.core.health import Unhealthy
from shop.core.jobs import from_now
from stream.models import StreamCursor

HELD_SECONDS = 30
STUCK_SECONDS = 60


def hold(holder: UUID) -> int | None:
    """Become or stay who publishes; return the cursor's position, or ``None`` for another's."""
    rows = StreamCursor.objects.filter(pk=StreamCursor.NAME)
    free = Q(holder=None) | Q(holder=holder)
    stale = Q(held_at__lt=from_now(-HELD_SECONDS)) | Q(held_at__gt=from_now(HELD_SECONDS))
    with transaction.atomic():
        if not rows.filter(free | stale).update(holder=holder, held_at=Now()):
            if rows.exists():
                return None
            StreamCursor.objects.bulk_create(
                [StreamCursor(name=StreamCursor.NAME, holder=holder, held_at=timezone.now())],
                ignore_conflicts=True,
            )
    return rows.filter(holder=holder).values_list("position", flat=True).first()


def release(holder: UUID) -> None:
    """Let another process publish at once."""
    StreamCursor.objects.filter(holder=holder).update(holder=None)


def move(holder: UUID, before: int, position: int) -> bool:
    """Move the cursor, if it is still held and where it was; return whether it is."""
    rows = StreamCursor.objects.filter(pk=StreamCursor.NAME, holder=holder, position=before)
    return bool(rows.update(position=position, moved_at=Now(), held_at=Now()))


def rewind(after: int) -> int:
    """Let everything after a position be published again; return where the cursor was.

    What is being published at this moment moves nothing any more. Raise ``PositionUnknown``.
    """
    if after > latest_position():
        raise PositionUnknown()
    with transaction.atomic():
        row, _ = StreamCursor.objects.select_for_update().get_or_create(pk=StreamCursor.NAME)
        before = row.position
        row.position, row.moved_at = after, timezone.now()
        row.save(update_fields=["position", "moved_at"])
    return before


def check_stream() -> None:
    """Raise ``Unhealthy`` where events wait and none was published for a while."""
    row = StreamCursor.objects.filter(pk=StreamCursor.NAME).first()
    behind = latest_position() - (row.position if row else 0)
    since = timezone.now() - timedelta(seconds=STUCK_SECONDS)
    if behind > 0 and (row is None or row.moved_at is None or row.moved_at < since):
        raise Unhealthy(f"The stream to Kafka lags by {behind} events.")
