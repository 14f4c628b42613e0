"""Check the invariants of a database and say what was checked."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from purchases.selectors import POSITION_FLOORS
from shop.core.database import unhurried

EXAMPLES = 5

# Each finds what breaks an invariant: (what holds, the rows that break it). Joins run from the
# primary keys, so that the whole ledger is read once in the order of its ids.
CHECKS = (
    (
        "Every purchase has its event.",
        """SELECT purchase.id FROM purchases_purchase AS purchase
           LEFT JOIN purchases_event AS event ON event.purchase_id = purchase.id
           WHERE event.purchase_id IS NULL""",
    ),
    (
        "Every event has its purchase, and names its customer.",
        """SELECT event.purchase_id FROM purchases_event AS event
           LEFT JOIN purchases_purchase AS purchase ON purchase.id = event.purchase_id
           WHERE purchase.id IS NULL OR purchase.customer_id <> event.customer_id""",
    ),
    (
        "No position is given twice, and none is below 1.",
        """SELECT position FROM purchases_event WHERE position IS NOT NULL
           GROUP BY position HAVING count(*) > 1 OR position < 1""",
    ),
    (
        "No gap in the positions.",
        # A restore makes one above what its backup holds, and leaves its end in the database.
        f"""SELECT position FROM (
             SELECT position, lag(position, 1, 0::bigint) OVER (ORDER BY position) AS previous
             FROM purchases_event WHERE position IS NOT NULL) AS numbered
           WHERE position <> previous + 1
             AND position - 1 <> ALL (coalesce({POSITION_FLOORS}, '{{}}'))""",  # noqa: S608
    ),
    (
        "No two purchases have the same deduplication key.",
        """SELECT dedupe_key FROM purchases_purchase GROUP BY dedupe_key HAVING count(*) > 1""",
    ),
    (
        "Quantities, prices and currencies are in range.",
        """SELECT id FROM purchases_purchase
           WHERE quantity NOT BETWEEN 1 AND 1000000 OR price < 0 OR price >= 1e10
              OR scale(price) > 2 OR currency !~ '^[A-Z]{3}$'""",
    ),
)

TOTALS = (
    """SELECT currency, count(*), sum(price * quantity) FROM purchases_purchase
       GROUP BY currency ORDER BY currency""",
    """SELECT purchase.currency, count(*), sum(purchase.price * purchase.quantity)
       FROM purchases_event AS event
       JOIN purchases_purchase AS purchase ON purchase.id = event.purchase_id
       JOIN accounts_user AS customer ON customer.id = event.customer_id
       GROUP BY purchase.currency ORDER BY purchase.currency""",
)
REPORTS = """SELECT id::text, pdf, sha256, status FROM reports_report
             WHERE status IN ('ready', 'sending', 'sent') AND removed_at IS NULL"""
"""Reports whose PDF has to be there."""


class Command(BaseCommand):
    help = (
        "Checks that every purchase has its event, that positions grow without a gap, that totals "
        "agree and that every finished report has its PDF. Exits with 1 where something is wrong."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        findings = 0
        checks: list[tuple[str, Callable[[], Iterator[str]]]] = [
            *((what, _broken_by(query)) for what, query in CHECKS),
            ("Totals agree between ledger and event log.", self._totals),
            ("Every finished report has its PDF, as it was made.", self._reports),
        ]
        # One snapshot for all checks, so that what is recorded meanwhile cannot look like damage.
        with unhurried(), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute(
                    "SELECT count(*), count(position), coalesce(max(position), 0)"
                    " FROM purchases_event"
                )
                events, numbered, position = cursor.fetchone() or (0, 0, 0)
            self.stdout.write(f"{events} events, {numbered} of them numbered, the last {position}.")
            for what, check in checks:
                broken = list(check())
                findings += len(broken)
                self.stdout.write(f"{'ok    ' if not broken else 'BROKEN'}  {what}")
                for example in broken[:EXAMPLES]:
                    self.stdout.write(f"        {example}")
                if len(broken) > EXAMPLES:
                    self.stdout.write(f"        and {len(broken) - EXAMPLES} more")
        if findings:
            raise CommandError(f"{findings} findings.", returncode=1)
        self.stdout.write(f"All {len(checks)} checks hold.")

    def _totals(self) -> Iterator[str]:
        with connection.cursor() as cursor:
            totals = []
            for query in TOTALS:
                cursor.execute(query)
                totals.append(cursor.fetchall())
        for currency, count, total in totals[0]:
            self.stdout.write(f"        {currency}: {count} purchases, {total:.2f} in total")
        if totals[0] != totals[1]:
            yield f"the ledger has {totals[0]}, the event log {totals[1]}"

    def _reports(self) -> Iterator[str]:
        with connection.cursor() as cursor:
            cursor.execute(REPORTS)
            reports = cursor.fetchall()
        for id, name, digest, status in reports:
            if not name or not default_storage.exists(name):
                yield f"report {id} is {status} and has no PDF"
                continue
            with default_storage.open(name, "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != digest:
                yield f"report {id} is {status} and its PDF is not the one that was made"


def _broken_by(query: str) -> Callable[[], Iterator[str]]:
    def check() -> Iterator[str]:
        with connection.cursor() as cursor:
            cursor.execute(query)
            yield from (str(row[0]) for row in cursor.fetchall())

    return check
