"""Connections that give up on a server that does not answer."""

import time
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from shop.core.database import (
    Unanswered,
    connection_class,
    execute_prepared,
    fetch_prepared,
    no_statement_timeout,
    one_round_trip,
)


def _parameters() -> dict[str, Any]:
    parameters = dict(connection.get_connection_params())
    for name in ("pool", "cursor_factory", "context", "prepare_threshold", "options"):
        parameters.pop(name, None)
    return parameters


@pytest.mark.django_db
def test_an_answer_that_does_not_come_ends_the_connection() -> None:
    with connection_class(0.2).connect(**_parameters(), autocommit=True) as own:
        assert own.execute("SELECT 1").fetchone() == (1,)
        started = time.monotonic()
        with pytest.raises(Unanswered):
            own.execute("SELECT pg_sleep(5)")
        assert time.monotonic() - started < 2
        assert own.closed
        with pytest.raises(psycopg.OperationalError):
            own.execute("SELECT 1")


@pytest.mark.django_db(transaction=True)
def test_the_application_ends_a_statement_unless_nobody_waits_for_it() -> None:
    connection.ensure_connection()
    raw: Any = connection.connection
    usual, raw.answer_seconds = raw.answer_seconds, 0.2
    try:
        with no_statement_timeout(), connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("0",)
            cursor.execute("SELECT pg_sleep(0.4)")
        with pytest.raises(OperationalError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")
    finally:
        raw.answer_seconds = usual
        connection.close()


@pytest.mark.django_db
def test_a_prepared_statement_is_kept_for_the_connection() -> None:
    statement = "SELECT %s::int + 1"
    assert [fetch_prepared(statement, [number]) for number in (1, 2)] == [[(2,)], [(3,)]]
    kept = "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT $1::int + 1'"
    with connection.cursor() as cursor:
        cursor.execute(kept)
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db
def test_statements_of_one_round_trip_are_over_at_its_end() -> None:
    insert = "INSERT INTO numbers VALUES (%s)"
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE numbers (number int PRIMARY KEY) ON COMMIT DROP")
    with transaction.atomic(), one_round_trip(), connection.cursor() as cursor:
        execute_prepared(insert, [1])
        cursor.execute(insert, [2])
        # A statement with rows is answered at once.
        assert fetch_prepared("SELECT number FROM numbers ORDER BY 1", []) == [(1,), (2,)]
        execute_prepared(insert, [3])
    assert fetch_prepared("SELECT count(*) FROM numbers", []) == [(3,)]

    def refused() -> None:
        with transaction.atomic(), one_round_trip():
            for number in (4, 3, 5):
                execute_prepared(insert, [number])

    with pytest.raises(IntegrityError):
        refused()
    assert fetch_prepared("SELECT count(*) FROM numbers", []) == [(3,)]
