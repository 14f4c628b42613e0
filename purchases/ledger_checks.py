"""Invariants of purchases and their events, for ``manage.py verify_ledger``.

Joins run from the primary keys, so that the whole ledger is read once in the order of its ids.
"""

from collections.abc import Iterator

from django.db import connection

from shop.core.ledger import LedgerCheck, Say, no_rows

# The events of purchases, with or without a position.
_EVENTS = """(
    SELECT id, customer_id FROM events_event WHERE type = 1
    UNION ALL SELECT id, customer_id FROM events_outbox WHERE type = 1)"""
_TOTALS = (
    """SELECT currency, count(*), sum(price * quantity) FROM purchases_purchase
       GROUP BY currency ORDER BY currency""",
    f"""SELECT purchase.currency, count(*), sum(purchase.price * purchase.quantity)
       FROM {_EVENTS} AS event
       JOIN purchases_purchase AS purchase ON purchase.id = event.id
       JOIN accounts_user AS customer ON customer.id = event.customer_id
       GROUP BY purchase.currency ORDER BY purchase.currency""",  # noqa: S608
)


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
        f"""SELECT purchase.id FROM purchases_purchase AS purchase
           LEFT JOIN {_EVENTS} AS event ON event.id = purchase.id
           WHERE event.id IS NULL""",  # noqa: S608
    ),
    no_rows(
        "Every event has its purchase, and names its customer.",
        f"""SELECT event.id FROM {_EVENTS} AS event
           LEFT JOIN purchases_purchase AS purchase ON purchase.id = event.id
           WHERE purchase.id IS NULL OR purchase.customer_id IS DISTINCT FROM event.customer_id""",  # noqa: S608
    ),
    # There is no foreign key, because the statement that records finds both accounts, and a trigger
    # keeps every account.
    no_rows(
        "Every purchase's customer and recorder have accounts.",
        """SELECT purchase.id FROM purchases_purchase AS purchase
           WHERE NOT EXISTS (SELECT FROM accounts_user AS account
                             WHERE account.id = purchase.customer_id)
              OR NOT EXISTS (SELECT FROM accounts_user AS account
                             WHERE account.id = purchase.recorded_by_id)""",
    ),
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
