"""An owner without superuser rights prepares the database, as on managed servers, and again."""

import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection as django_connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from shop.core.apps import append_only_tables
from shop.tests.conftest import manage


def test_an_owner_without_superuser_prepares_it_and_does_so_again(
    prepared: dict[str, str],
) -> None:
    manage(prepared | {"DATABASE_ROLE": "owner"}, "prepare_database", "--verbosity", "0")
    # What a pod asks before it starts: it reads the migrations as the application's role.
    manage(prepared, "migrate", "--check")
    with psycopg.connect(prepared["DATABASE_URL"]) as connection:
        rights = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolinherit, rolcanlogin"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert rights == (False, False, False, False, True)
        # What only grows is read and added to, and never changed.
        assert {"purchases_purchase", "audit_entry", "audit_checkpoint"} < {*append_only_tables()}
        for table in append_only_tables():
            kinds = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER")
            held = [
                connection.execute("SELECT has_table_privilege(%s, %s)", [table, kind]).fetchone()
                for kind in kinds
            ]
            assert held == [(True,), (True,), (False,), (False,), (False,), (False,)], table


def test_the_owner_cannot_empty_what_is_only_added(prepared: dict[str, str]) -> None:
    with psycopg.connect(prepared["DATABASE_OWNER_URL"], autocommit=True) as connection:
        for table in {*append_only_tables()} - {"purchases_purchase", "events_event"}:
            with pytest.raises(psycopg.errors.RestrictViolation, match="TRUNCATE of"):
                connection.execute(f"TRUNCATE {table} CASCADE")


def test_rights_that_the_role_got_meanwhile_are_taken_away(prepared: dict[str, str]) -> None:
    owner = prepared | {"DATABASE_ROLE": "owner"}
    role = str(conninfo_to_dict(prepared["DATABASE_URL"])["user"])
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER ROLE {} INHERIT CREATEROLE").format(sql.Identifier(role)))
        manage(owner, "prepare_database", "--verbosity", "0")
        rights = connection.execute(
            "SELECT rolcreaterole, rolinherit FROM pg_roles WHERE rolname = %s", [role]
        ).fetchone()
    assert rights == (False, False)


@pytest.fixture
def passwords_count(prepared: dict[str, str]) -> Iterator[None]:
    """The application must give its password, which the servers of tests do not ask for."""
    role = conninfo_to_dict(prepared["DATABASE_URL"])["user"]
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        (name,) = connection.execute("SHOW hba_file").fetchone() or ("",)
        rules = Path(name)
        before = rules.read_text()
        rules.write_text(f"local all {role} scram-sha-256\n{before}")
        connection.execute("SELECT pg_reload_conf()")
        yield
        rules.write_text(before)
        connection.execute("SELECT pg_reload_conf()")


@pytest.mark.usefixtures("passwords_count")
def test_the_role_signs_in_with_its_password_only(prepared: dict[str, str]) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(prepared["DATABASE_URL"], password="another")
    with psycopg.connect(prepared["DATABASE_URL"]) as connection:
        assert connection.pgconn.used_password


@pytest.mark.django_db
def test_no_statement_holds_the_password(settings: Any) -> None:
    password = "neither in logs nor in views"
    settings.DATABASE_APPLICATION = {"user": "shop_app_of_tests", "password": password}
    with CaptureQueriesContext(django_connection) as captured:
        call_command("prepare_database", stdout=StringIO())
    statements = "\n".join(query["sql"] for query in captured.captured_queries)
    assert "PASSWORD 'SCRAM-SHA-256$" in statements
    assert password not in statements


@pytest.mark.django_db(transaction=True)
def test_nothing_is_ready_before_a_restore_has_replayed_the_journal(client: Client) -> None:
    name = sql.Identifier(str(django_connection.settings_dict["NAME"]))
    mark = sql.SQL("ALTER DATABASE {} SET shop.not_replayed = 'yes'").format(name)
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(mark)
        try:
            django_connection.close()
            with pytest.raises(CommandError, match="Replay the journal first"):
                call_command("prepare_database", stdout=StringIO())
            call_command("prepare_database", "--before-replay", stdout=StringIO())
            ready, healthy = client.get("/readyz"), client.get("/healthz")
        finally:
            connection.execute(sql.SQL("ALTER DATABASE {} RESET shop.not_replayed").format(name))
            django_connection.close()
    assert (ready.status_code, healthy.status_code) == (503, 503)
    assert "A restore has not ended" in healthy.text
    assert client.get("/readyz").status_code == 200
