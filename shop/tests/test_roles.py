"""Each role of the database has exactly the rights that docs/operations.md says."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shop.connections import FURTHER
from shop.core.apps import append_only_tables
from shop.core.columns import tables
from shop.tests.conftest import manage

VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN")
EVERYTHING = {"SELECT", "INSERT", "UPDATE", "DELETE"}
RELAY = {
    "events_outbox": {"SELECT", "DELETE", "MAINTAIN"},
    "events_event": {"SELECT", "INSERT"},
    "purchases_purchase": {"SELECT"},
    "audit_waiting": {"SELECT", "DELETE"},
    "audit_entry": {"SELECT", "INSERT"},
    "audit_checkpoint": {"SELECT", "INSERT"},
    "operations_instance": {"SELECT", "INSERT", "UPDATE"},
    "operations_minute": {"SELECT", "INSERT", "UPDATE"},
    "operations_presence": {"SELECT", "INSERT", "UPDATE"},
    "logs_entry": {"INSERT"},
    "preferences_change": {"SELECT"},
}
ONLY_GROW = {
    "purchases_purchase",
    "events_event",
    "audit_entry",
    "audit_checkpoint",
    "billing_document",
    "billing_entry",
    "billing_line",
    "billing_redemption",
    "billing_tax",
    "preferences_change",
    "quizzes_consenttext",
    "quizzes_version",
}
COLUMNS = """(
    SELECT relname, attrelid, attnum, attname FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')
      AND attnum > 0 AND NOT attisdropped
) AS columns"""
RECORD = """
from accounts.models import User
from audit.services import record
from django.db import connection, transaction
with transaction.atomic(), connection.cursor() as cursor:
    user = User.objects.create(username="joe")
    record("account.changed", object=f"account:{user.pk}", actor_id=user.pk)
    cursor.execute("INSERT INTO purchases_purchase (customer_id, recorded_by_id, item, quantity,"
        " price, currency, timestamp, dedupe_key) VALUES (%s, %s, 'a', 1, 1, 'EUR', now(),"
        " gen_random_uuid()) RETURNING id", [user.pk, user.pk])
    (key,) = cursor.fetchone()
    cursor.execute("INSERT INTO events_outbox (id, customer_id) VALUES (%s, %s)", [key, user.pk])
"""
RELAY_WORK = """
from audit.sealing import seal_waiting
from django.db import connection
from events.tests.log import number
number()
print("sealed", seal_waiting())
connection.cursor().execute("VACUUM events_outbox")
"""


@pytest.fixture
def urls(prepared: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yield the URLs of all roles of a database that is prepared, twice."""
    application = prepared["DATABASE_URL"]
    user = str(conninfo_to_dict(application)["user"])
    further = {
        f"DATABASE_{kind.upper()}_URL": application.replace(user, user.replace("app", kind))
        for kind in FURTHER
    }
    given = prepared | further
    yield given
    # Only a superuser may take rights away for others.
    database = conninfo_to_dict(application)["dbname"]
    server = make_conninfo(os.environ["DATABASE_URL"], dbname=database)
    with psycopg.connect(server, autocommit=True) as connection:
        for kind in FURTHER:
            name = sql.Identifier(user.replace("app", kind))
            connection.execute(sql.SQL("DROP OWNED BY {}").format(name))
            connection.execute(sql.SQL("DROP ROLE {}").format(name))


def test_each_role_has_exactly_its_documented_rights(urls: dict[str, str]) -> None:
    owner = urls | {"DATABASE_ROLE": "owner"}
    manage(owner, "prepare_database", "--verbosity", "0")
    user = str(conninfo_to_dict(urls["DATABASE_URL"])["user"])
    roles = {"application": user} | {kind: user.replace("app", kind) for kind in FURTHER}
    with psycopg.connect(urls["DATABASE_OWNER_URL"], autocommit=True) as connection:
        # What a role got meanwhile is taken away again.
        for kind in ("reader", "relay"):
            given = sql.Identifier(roles[kind])
            for rights in ("ALL", "SELECT (email)"):
                connection.execute(
                    sql.SQL(f"GRANT {rights} ON accounts_user TO {{}}").format(given)
                )
    manage(owner, "prepare_database", "--verbosity", "0")
    declared = {table.name: table for table in tables()}
    assert set(append_only_tables()) == ONLY_GROW
    with psycopg.connect(urls["DATABASE_OWNER_URL"]) as connection:
        names = {
            name
            for (name,) in connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind IN ('r', 'p', 'v')"
            )
        }
        assert names == set(declared)
        for kind, role in roles.items():
            found = connection.execute(
                "SELECT t, array_agg(v) FILTER (WHERE has_table_privilege(%s, t, v))"
                " FROM unnest(%s::text[]) AS t, unnest(%s::text[]) AS v GROUP BY t",
                [role, sorted(names), list(VERBS)],
            )
            for table, verbs in found:
                assert set(verbs or []) == _expected(kind, table), (kind, table)
            columns = connection.execute(
                f"SELECT relname, attname FROM {COLUMNS}"
                " WHERE has_column_privilege(%s, attrelid, attnum, 'SELECT')",
                [role],
            ).fetchall()
            seen = {(table, column) for table, column in columns}
            if kind == "reader":
                assert seen == {
                    (table.name, column.name)
                    for table in declared.values()
                    for column in table.columns
                    if column.is_plain
                }
                assert ("accounts_user", "id") in seen
                assert not {("accounts_user", name) for name in ("email", "username")} & seen
                assert ("socialaccount_socialapp", "name") in seen
                assert not {column for _, column in seen} & {"secret", "sealed", "settings"}
            elif kind == "relay":
                accounts = {column for table, column in seen if table == "accounts_user"}
                assert accounts == {"id", "username", "userid"}
            written = connection.execute(
                f"SELECT count(*) FROM {COLUMNS}"
                " WHERE has_column_privilege(%s, attrelid, attnum, 'UPDATE')"
                " AND NOT has_table_privilege(%s, attrelid, 'UPDATE')",
                [role, role],
            ).fetchone()
            assert written == (0,), kind
            owns = connection.execute(
                "SELECT count(*) FROM pg_class WHERE relowner = %s::regrole", [role]
            ).fetchone()
            creates = connection.execute(
                "SELECT has_schema_privilege(%s, 'public', 'CREATE')", [role]
            ).fetchone()
            assert (owns, creates) == ((0,), (False,)), kind
    # The relay's rights are enough for its work.
    manage(urls, "shell", "-c", RECORD)
    # Making the account is an entry, too.
    assert "sealed 2" in manage(urls | {"DATABASE_ROLE": "relay"}, "shell", "-c", RELAY_WORK)
    # A backup can be made, and the operator's table names every role.
    with psycopg.connect(urls["DATABASE_BACKUP_URL"]) as connection:
        for table in sorted(names):
            connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
        today = f"logs_entry_info_{datetime.now(UTC):%Y%m%d}"
        name = sql.Identifier("partitions", today)
        connection.execute(sql.SQL("SELECT count(*) FROM {}").format(name))
    table = (Path(settings.BASE_DIR) / "docs" / "operations.md").read_text()
    for kind in ("owner", *roles):
        assert re.search(rf"^\| `{kind}` \|", table, re.M), kind


def _expected(kind: str, table: str) -> set[str]:
    if kind == "backup":
        return {"SELECT"}
    if kind == "reader":
        # It has rights to columns only.
        return set()
    if kind == "relay":
        return RELAY.get(table, set())
    rights = set(EVERYTHING)
    if table in ONLY_GROW:
        adds = kind == "application" or table.startswith("billing_")
        rights = {"SELECT", "INSERT"} if adds else {"SELECT"}
    if table == "django_migrations":
        rights = {"SELECT"}
    if table == "events_outbox":
        rights |= {"MAINTAIN"}
    return rights
