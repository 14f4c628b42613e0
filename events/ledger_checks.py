"""Invariants of the event log, for ``manage.py verify_ledger``."""

from collections.abc import Iterator

import msgspec
from django.db import connection

from events.models import Event
from events.selectors import POSITION_FLOORS
from events.types import declared
from shop.core.ledger import LedgerCheck, Say, no_rows

_COUNTS = """
SELECT (SELECT count(*) FROM events_outbox), count(*), coalesce(max(position), 0)
FROM events_event
"""
# A restore skips positions after those of the backup, and stores the end of the gap in the
# database.
_GAPS = f"""
SELECT position FROM (
  SELECT position, lag(position, 1, 0::bigint) OVER (ORDER BY position) AS previous
  FROM events_event) AS numbered
WHERE position <> previous + 1
  AND position - 1 <> ALL (coalesce({POSITION_FLOORS}, '{{}}'))
"""  # noqa: S608


def _gaps(say: Say) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS)
        waiting, numbered, position = cursor.fetchone() or (0, 0, 0)
        say(f"{waiting + numbered} events, {numbered} of them numbered, the last {position}.")
        cursor.execute(_GAPS)
        yield from (str(row[0]) for row in cursor.fetchall())


def _undeclared(say: Say) -> Iterator[str]:
    # This also finds a number that was reused for another type, because the old data do not fit.
    numbers = [type.number for type in declared()]
    unknown = Event.objects.exclude(type__in=numbers).values_list("position", flat=True)
    yield from map(str, unknown.iterator(chunk_size=1000))
    for type in declared():
        if type.load is not None:
            continue
        events = Event.objects.filter(type=type.number).values_list("position", "payload")
        for position, payload in events.order_by("position").iterator(chunk_size=1000):
            try:
                msgspec.convert(payload, type.data)
            except msgspec.ValidationError:
                yield str(position)


CHECKS = (
    no_rows(
        "No position is given twice, and none is below 1.",
        """SELECT position FROM events_event
           GROUP BY position HAVING count(*) > 1 OR position < 1""",
    ),
    LedgerCheck("No gap in the positions.", _gaps),
    LedgerCheck("Every event has a declared type, and data as that declares them.", _undeclared),
    no_rows(
        "No event is in the log or the outbox twice.",
        """SELECT id FROM (SELECT id FROM events_event UNION ALL SELECT id FROM events_outbox)
           AS both_of_them GROUP BY id HAVING count(*) > 1""",
    ),
    no_rows(
        "Every event's customer has an account.",
        """SELECT id FROM (SELECT id, customer_id FROM events_event
                           UNION ALL SELECT id, customer_id FROM events_outbox) AS event
           WHERE customer_id IS NOT NULL
             AND NOT EXISTS (SELECT FROM accounts_user AS account
                             WHERE account.id = event.customer_id)""",
    ),
)
