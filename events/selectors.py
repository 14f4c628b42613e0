"""Reads of the event log, each limited to events that the caller may see."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from accounts.access import Audience
from events.models import PURCHASE_RECORDED, Event, Outbox
from events.representation import Numbered, Row, present
from shop.core.errors import Conflict
from shop.core.merged import Merged

PURCHASES = frozenset({PURCHASE_RECORDED})


class PositionUnknown(Conflict):
    """The position was never given out, as after a restore of an older ledger."""

    code = "position_unknown"
    detail = "This position was never given out. Read the ledger anew, and go on from there."
    attr = "after"


# A restore stores in this setting of the database how far positions may have come since its backup.
# So no position is ever given to two events.
POSITION_FLOORS = (
    "string_to_array(nullif(current_setting('shop.position_floors', true), ''), ',')::bigint[]"
)
LATEST_POSITION = f"""
SELECT greatest(
    max(position), (SELECT max(floor) FROM unnest({POSITION_FLOORS}) AS floor), 0)
FROM {Event._meta.db_table}
"""  # noqa: S608


def latest_position() -> int:
    """Return the highest position that was given out, or 0."""
    with connection.cursor() as cursor:
        cursor.execute(LATEST_POSITION)
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def newest_purchases(*, audience: Audience | None, until: int, limit: int) -> list[UUID]:
    """Return the ids of the purchases that were recorded last, the newest first.

    ``audience`` limits them to its events, ``until`` to those up to a position.
    """
    rows = (
        Event.objects.filter(type=PURCHASE_RECORDED, position__lte=until)
        .order_by("-position")
        .only("position", "key")
    )
    events = _of_audience(rows, audience).order_by("-position")
    return [event.key for event in events.first_rows(limit)]


def purchases_without_position(*, audience: Audience | None, limit: int) -> list[UUID]:
    """Return the ids of recorded purchases that the relay has not numbered yet, the newest first.

    ``audience`` limits them to its events. The outbox is small, so it needs no index for this.
    """
    rows = Outbox.objects.filter(type=PURCHASE_RECORDED)
    if audience is not None:
        theirs = Q(customer_id=audience.account)
        if audience.and_recorded:
            theirs |= Q(recorder_id=audience.account)
        rows = rows.filter(theirs)
    return list(rows.order_by("-key").values_list("key", flat=True)[:limit])


def position_of(key: UUID) -> int | None:
    """Return the position of an event; ``None`` until the relay has given it one."""
    return Event.objects.filter(key=key).values_list("position", flat=True).first()


def events_after(
    position: int,
    *,
    audience: Audience | None,
    limit: int,
    until: int | None = None,
    types: Collection[int] | None = PURCHASES,
) -> list[Numbered]:
    """Return events after ``position``, in order.

    ``audience`` limits them to its events, ``until`` to those up to a position, ``types`` to some
    types; ``None`` sets no limit.
    """
    queryset = Event.objects.filter(position__gt=position).order_by("position")
    if until is not None:
        queryset = queryset.filter(position__lte=until)
    if types is not None:
        queryset = (
            queryset.filter(type__in=sorted(types))
            if len(types) > 1
            else queryset.filter(type=next(iter(types), 0))
        )
    rows = queryset.values_list(*Row._fields)
    events = _of_audience(rows, audience)
    return present(Row(*row) for row in events.first_rows(limit))


def _of_audience(rows: Any, audience: Audience | None) -> "Merged[Any]":
    """Return the rows of the log for an audience, each part by an index of its own."""
    if audience is None:
        return Merged(rows)
    # An event's recorder is never its customer, and one about a team has no customer.
    recorders = [audience.account] if audience.and_recorded else []
    recorders += audience.teams
    return Merged(
        rows.filter(customer_id=audience.account),
        *(rows.filter(recorder_id=recorder) for recorder in recorders),
    )


def events_page(
    audience: Audience | None,
    *,
    after: int,
    limit: int,
    types: Collection[int] | None = PURCHASES,
) -> tuple[list[Numbered], int]:
    """Return a page of events, and the position up to which the audience has seen everything.

    If the page is not full, that is the end of the log, read before the page. So an event that is
    numbered meanwhile is never skipped. Raise ``PositionUnknown`` for a position beyond the end.
    """
    end = latest_position()
    if after > end:
        raise PositionUnknown()
    events = events_after(after, audience=audience, limit=limit, until=end, types=types)
    if len(events) == limit:
        return events, events[-1].position
    return events, end
