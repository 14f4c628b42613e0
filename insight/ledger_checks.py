"""The roll-ups are compared with the ledger, for ``manage.py verify_ledger``.

The ledger is read as far as the roll-ups have it, in the same statement as these.
"""

from events.models import PURCHASE_RECORDED, FollowerCursor
from insight.statistics.follower import DAY, EVENTS, NAME, PURCHASES, SLOT
from shop.core.ledger import LedgerCheck, no_rows

_CURSOR = f"SELECT position, version FROM {FollowerCursor._meta.db_table} WHERE name = '{NAME}'"  # noqa: S608
_SUMS = "count(*)::bigint, sum(quantity)::bigint, sum(price * quantity)"


def _same(
    what: str, table: str, columns: dict[str, str], more: str = "", values: str = ""
) -> LedgerCheck:
    names, expressions = ", ".join(columns), ", ".join(columns.values())
    return no_rows(
        what,
        f"""WITH cursor AS MATERIALIZED ({_CURSOR}), rolled AS (
            SELECT {names}, purchases, quantity, revenue{more} FROM {table}
            WHERE version = (SELECT version FROM cursor)
        ), told AS (
            SELECT {expressions}, {_SUMS}{values} FROM {EVENTS} AS event
            JOIN {PURCHASES} AS purchase ON purchase.id = event.id
            WHERE event.type = {PURCHASE_RECORDED}
              AND event.position <= (SELECT position FROM cursor)
            GROUP BY {expressions}
        )
        SELECT row(differs.*) FROM (
            SELECT 'too much' AS what, * FROM (TABLE rolled EXCEPT TABLE told) AS above
            UNION ALL
            SELECT 'missing', * FROM (TABLE told EXCEPT TABLE rolled) AS below
        ) AS differs""",  # noqa: S608
    )


CHECKS = (
    _same(
        "The sums of each quarter of an hour are those of the ledger.",
        "insight_slot",
        {"slot": SLOT, "currency": "currency"},
    ),
    _same(
        "The sums of items by day are those of the ledger.",
        "insight_item_day",
        {"item": "item", "day": DAY, "currency": "currency"},
    ),
    _same(
        "The sums of customers by day are those of the ledger.",
        "insight_customer_day",
        {"customer_id": "purchase.customer_id", "day": DAY, "currency": "currency"},
    ),
    _same(
        "The sums of customers, and their first and last purchases, are those of the ledger.",
        "insight_customer",
        {"customer_id": "purchase.customer_id", "currency": "currency"},
        ", first_at, last_at",
        ', min("timestamp"), max("timestamp")',
    ),
)
