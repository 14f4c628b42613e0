"""A ledger of any size, made inside PostgreSQL, with some heavy customers.

    python -m benchmarks.generate --purchases 10000000 --customers 100000

The database must be migrated and its ledger empty. One purchase in ten belongs to the ten heaviest
customers; the others are spread evenly. Times go from 2015 to 2024. Secondary indexes and foreign
keys are dropped before the rows are written and made again afterwards, so that ten million rows
take minutes only.
"""

import argparse
import os
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
TABLES = ("purchases_purchase", "events_event")
HEAVY = 10

_CUSTOMERS = """
INSERT INTO accounts_user
    (password, is_superuser, username, userid, email, is_staff, is_active, is_client, date_joined)
SELECT '!', false, 'customer' || n, 'g' || n, '', false, true, false, now()
FROM generate_series(1, %s) AS n
"""
_PURCHASES = """
INSERT INTO purchases_purchase (id, customer_id, item, quantity, price, currency, "timestamp",
    received_at, recorded_by_id, dedupe_key)
SELECT uuidv7(), customer.id, 'item ' || (abs(hashint8(n)::bigint) %% 150), n %% 5 + 1,
    (n * 104729 %% 1000000)::numeric / 100, 'EUR',
    timestamptz '2015-01-01' + (n::float8 / %s) * interval '10 years',
    now(), customer.id, md5(n::text)::uuid
FROM (
    SELECT n, %s + CASE WHEN n %% 10 = 0 THEN (n / 10) %% %s
                        ELSE (n * 15485863) %% %s END AS id
    FROM generate_series(1::bigint, %s) AS n
) AS row (n, customer_id), LATERAL (SELECT row.customer_id AS id) AS customer
ORDER BY n
"""
_EVENTS = """
INSERT INTO events_event (position, id, type, customer_id, at)
SELECT row_number() OVER (ORDER BY id), id, 1, customer_id, received_at FROM purchases_purchase
"""


def generate(purchases: int, customers: int) -> None:
    """Fill an empty ledger. Raise ``SystemExit`` if it is not empty."""
    from django.db import connection

    from shop.core.database import no_statement_timeout

    with no_statement_timeout(), connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM purchases_purchase)")
        if cursor.fetchone() == (True,):
            raise SystemExit("The ledger is not empty.")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute("SET synchronous_commit = off")
        cursor.execute(_CUSTOMERS, [customers])
        cursor.execute("SELECT min(id) FROM accounts_user WHERE userid = 'g1'")
        (first,) = cursor.fetchone() or (0,)
        again = _strip(cursor)
        cursor.execute(_PURCHASES, [purchases, first, HEAVY, customers, purchases])
        cursor.execute(_EVENTS)
        for statement in again:
            cursor.execute(statement)
        # Index-only scans need the visibility map.
        cursor.execute("VACUUM ANALYZE")


def _strip(cursor: object) -> list[str]:
    """Drop indexes and foreign keys. Return the statements that make them again."""
    ask = getattr(cursor, "execute")  # noqa: B009
    again = []
    ask(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid::regclass::text = ANY(%s) AND contype IN ('f', 'u')"
        " AND conname NOT LIKE '%%pkey'",
        [list(TABLES)],
    )
    for table, name, definition in cursor.fetchall():  # type: ignore[attr-defined]
        again.append(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
        ask(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    ask(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE indrelid::regclass::text = ANY(%s) AND NOT indisprimary",
        [list(TABLES)],
    )
    for name, definition in cursor.fetchall():  # type: ignore[attr-defined]
        again.insert(0, definition)
        ask(f"DROP INDEX {name}")
    return again


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description=__doc__)
    parser.add_argument("--purchases", type=int, default=10_000_000)
    parser.add_argument("--customers", type=int, default=100_000)
    options = parser.parse_args()
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    started = time.monotonic()
    generate(options.purchases, options.customers)
    print(f"{options.purchases} purchases in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
