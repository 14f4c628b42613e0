"""Connections that give up on a server that does not answer."""

import time
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection

from shop.core.database import Unanswered, connection_class, no_statement_timeout


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
