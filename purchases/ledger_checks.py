"""What holds of purchases and their events, for ``manage.py verify_ledger``.

Joins run from the primary keys, so that the whole ledger is read once in the order of its ids.
"""

from collections.abc import Iterator

from django.db import connection

from events.selectors import POSITION_FLOORS
from shop.core.ledger import LedgerCheck, Say, no_rows

_TOTALS = (
    """SELECT currency, count(*), sum(price * quantity) FROM purchases_purchase
       GROUP BY currency ORDER BY currency""",
    """SELECT purchase.currency, count(*), sum(purchase.price * purchase.quantity)
       FROM purchases_event AS event
       JOIN purchases_purchase AS purchase ON purchase.id = event.purchase_id
       JOIN accounts_user AS customer ON customer.id = event.customer_id
       GROUP BY purchase.currency ORDER BY purchase.currency""",
)
_COUNTS = "SELECT count(*), count(position), coalesce(max(position), 0) FROM purchases_event"
# A restore makes one above what its backup holds, and leaves its end in the database.
_GAPS = f"""
SELECT position FROM (
  SELECT position, lag(position, 1, 0::bigint) OVER (ORDER BY position) AS previous
  FROM purchases_event WHERE position IS NOT NULL) AS numbered
WHERE position <> previous + 1
  AND position - 1 <> ALL (coalesce({POSITION_FLOORS}, '{{}}'))
"""  # noqa: S608


def _gaps(say: Say) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS)
        events, numbered, position = cursor.fetchone() or (0, 0, 0)
        say(f"{events} events, {numbered} of them numbered, the last {position}.")
        cursor.execute(_GAPS)
        yield from (str(row[0]) for row in cursor.fetchall())


def _totals(say: Say) -> Iterator[str]:
    totals = []
    with connection.cursor() as cursor:
        for query in _TOTALS:
            cursor.execute(query)
            totals.append(cursor.fetchall())
    for currency, count, total in totals[0]:
        say(f"{currency}: {count} purchases, {total:.2f} in total")
    if totals[0] != totals[1]:
        yield f"the ledger has {totals[0]}, the event log {totals[1]}"


CHECKS = (
    no_rows(
        "Every purchase has its event.",
        """SELECT purchase.id FROM purchases_purchase AS purchase
           LEFT JOIN purchases_event AS event ON event.purchase_id = purchase.id
           WHERE event.purchase_id IS NULL""",
    ),
    no_rows(
        "Every event has its purchase, and names its customer.",
        """SELECT event.purchase_id FROM purchases_event AS event
           LEFT JOIN purchases_purchase AS purchase ON purchase.id = event.purchase_id
           WHERE purchase.id IS NULL OR purchase.customer_id <> event.customer_id""",
    ),
    no_rows(
        "No position is given twice, and none is below 1.",
        """SELECT position FROM purchases_event WHERE position IS NOT NULL
           GROUP BY position HAVING count(*) > 1 OR position < 1""",
    ),
    LedgerCheck("No gap in the positions.", _gaps),
    no_rows(
        "No two purchases have the same deduplication key.",
        "SELECT dedupe_key FROM purchases_purchase GROUP BY dedupe_key HAVING count(*) > 1",
    ),
    no_rows(
        "Quantities, prices and currencies are in range.",
        """SELECT id FROM purchases_purchase
           WHERE quantity NOT BETWEEN 1 AND 1000000 OR price < 0 OR price >= 1e10
              OR scale(price) > 2 OR currency !~ '^[A-Z]{3}$'""",
    ),
    LedgerCheck("Totals agree between ledger and event log.", _totals),
)
