"""The follower that keeps the roll-ups: every purchase of the log is added once to each table."""

from collections.abc import Sequence
from typing import Any

from events.followers import Batch, Follower
from events.models import PURCHASE_RECORDED, Event
from purchases.events import RECORDED
from purchases.models import Purchase

NAME = "insight.statistics"
DISCARDED = 20_000
"""How many rows of an old version one call removes from a table."""

EVENTS, PURCHASES = Event._meta.db_table, Purchase._meta.db_table
SLOT = "date_bin('15 minutes', \"timestamp\", '2000-01-01 00:00:00+00')"
DAY = "(\"timestamp\" AT TIME ZONE 'UTC')::date"
SUMS = "count(*) AS purchases, sum(quantity) AS quantity, sum(price * quantity) AS revenue"
_ADDED = (
    "purchases = old.purchases + excluded.purchases, quantity = old.quantity + excluded.quantity,"
    " revenue = old.revenue + excluded.revenue"
)


def _add(table: str, columns: dict[str, str], more: dict[str, str] | None = None) -> str:
    """Return the statement that adds the batch to a table with these columns in its key.

    Rows are written in the order of their keys. ``more`` are columns beside the sums, each with
    its expression and the function that joins the old value and the new one.
    """
    more = more or {}
    keys = ", ".join(columns)
    beside = "".join(f", {name}" for name in more)
    values = "".join(f', {how}("timestamp") AS {name}' for name, how in more.items())
    joins = {"min": "least", "max": "greatest"}
    kept = "".join(
        f", {name} = {joins[how]}(old.{name}, excluded.{name})" for name, how in more.items()
    )
    chosen = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    return f"""
    INSERT INTO {table} AS old (version, {keys}, purchases, quantity, revenue{beside})
    SELECT %(version)s, {keys}, purchases, quantity, revenue{beside} FROM (
        SELECT {chosen}, {SUMS}{values} FROM bought GROUP BY {keys}
    ) AS added ORDER BY {keys}
    ON CONFLICT (version, {keys}) DO UPDATE SET {_ADDED}{kept}
    """  # noqa: S608


TABLES = ("insight_slot", "insight_item_day", "insight_customer_day", "insight_customer")
# One statement reads the ledger once for all tables.
_APPLY = f"""
WITH bought AS MATERIALIZED (
    SELECT purchase.customer_id, item, quantity, price, currency, "timestamp",
           {SLOT} AS slot, {DAY} AS day
    FROM {EVENTS} AS event JOIN {PURCHASES} AS purchase ON purchase.id = event.id
    WHERE event.type = {PURCHASE_RECORDED}
      AND event.position > %(after)s AND event.position <= %(until)s
), items AS ({_add("insight_item_day", {"item": "item", "day": "day", "currency": "currency"})}
), days AS ({
    _add(
        "insight_customer_day",
        {"day": "day", "currency": "currency", "customer_id": "customer_id"},
    )
}
), customers AS ({
    _add(
        "insight_customer",
        {"customer_id": "customer_id", "currency": "currency"},
        {"first_at": "min", "last_at": "max"},
    )
}) {_add("insight_slot", {"slot": "slot", "currency": "currency"})}
"""  # noqa: S608


class Statistics(Follower):
    """Adds up purchases by quarter of an hour, by item and day, by customer and day."""

    name = NAME
    types = (RECORDED,)
    # Purchases share rows of customers, items and slots, so one takes three times as much work in
    # batches of 500 as in batches of 5 000. Meanwhile readers add what is not rolled up yet.
    batch = 10_000
    pause = 1.0
    versions = True
    # One statement reads them, and the rows would cost more than all the rest.
    reads_events = False

    def apply(self, cursor: Any, batch: Batch) -> None:
        # A lost commit also loses the cursor's move, so nothing is added twice or left out.
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute(
            _APPLY, {"version": batch.version, "after": batch.after, "until": batch.until}
        )

    def discard(self, cursor: Any, kept: Sequence[int]) -> bool:
        cursor.execute("SET LOCAL synchronous_commit = off")
        for table in TABLES:
            cursor.execute(
                f"""DELETE FROM {table} WHERE ctid = ANY (ARRAY(
                        SELECT ctid FROM {table} WHERE version <> ALL (%s) LIMIT {DISCARDED}))""",  # noqa: S608
                [list(kept)],
            )
            if cursor.rowcount:
                return True
        return False
