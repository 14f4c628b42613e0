"""The previous version's SQL on this version's tables.

A deploy migrates beside the old processes and replaces them afterwards. Until then an old writer,
an old relay and an old reader may run beside new ones.
"""

import importlib
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection

from accounts.models import User
from events.selectors import events_after, latest_position
from events.tests.log import number
from shop.core.database import own_connection_parameters

# The previous version's statements, word for word except for the columns of a purchase.
WRITE = """
WITH recorded AS (
    INSERT INTO purchases_purchase (id, customer_id, item, quantity, price, currency, "timestamp",
        received_at, recorded_by_id, dedupe_key)
    SELECT uuidv7(), %s, item, 1, 1, 'EUR', now(), now(), %s, gen_random_uuid()
    FROM unnest(%s::text[]) AS item
    RETURNING id, customer_id
), logged AS (
    INSERT INTO purchases_event (purchase_id, customer_id)
    SELECT id, customer_id FROM recorded
)
SELECT id FROM recorded
"""
NUMBER = """
WITH waiting AS (
    SELECT purchase_id, row_number() OVER (ORDER BY purchase_id) AS place
    FROM (SELECT purchase_id FROM purchases_event
          WHERE position IS NULL ORDER BY purchase_id LIMIT 500) AS batch
), numbered AS (
    UPDATE purchases_event AS event SET position = %s + waiting.place
    FROM waiting WHERE event.purchase_id = waiting.purchase_id
    RETURNING event.position, event.customer_id, event.purchase_id
)
SELECT numbered.position, purchase.item
FROM numbered
JOIN purchases_purchase AS purchase ON purchase.id = numbered.purchase_id
JOIN accounts_user AS customer ON customer.id = numbered.customer_id
ORDER BY numbered.position
"""
LATEST = "SELECT greatest(max(position), 0) FROM purchases_event"
READ = """
SELECT event.position, purchase.item FROM purchases_event AS event
JOIN purchases_purchase AS purchase ON purchase.id = event.purchase_id
WHERE event.position > %s ORDER BY event.position LIMIT 500
"""


class Old:
    """A process of the previous version, with its prepared statements."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection

    def ask(self, query: str, *parameters: Any) -> list[Any]:
        return self._connection.execute(query, parameters, prepare=True).fetchall()

    def write(self, customer: User, *items: str) -> None:
        self.ask(WRITE, customer.pk, customer.pk, list(items))

    def number(self) -> list[tuple[int, str]]:
        return self.ask(NUMBER, self.ask(LATEST)[0][0])

    def read(self, after: int = 0) -> list[tuple[int, str]]:
        return self.ask(READ, after)


@pytest.fixture
def old(transactional_db: None) -> Iterator[Old]:
    with psycopg.connect(**own_connection_parameters(), autocommit=True) as own:
        yield Old(own)


def new_write(customer: User, *items: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            WRITE.replace("purchases_event (purchase_id,", "events_outbox (id,"),
            [customer.pk, customer.pk, list(items)],
        )


def new_read(after: int = 0) -> list[tuple[int, str]]:
    events = events_after(after, audience=None, limit=500)
    return [(event.position, event.data["purchase"]["item"]) for event in events]


def test_writers_relays_and_readers_of_both_versions_share_one_log(old: Old) -> None:
    joe = User.objects.create(username="joe", userid="005")
    expected: list[tuple[int, str]] = []

    def numbered(items: list[str]) -> None:
        first = len(expected) + 1
        expected.extend(zip(range(first, first + len(items)), items, strict=True))
        assert latest_position() == old.ask(LATEST)[0][0] == len(expected)
        assert old.read() == new_read() == expected
        assert old.read(1) == new_read(1) == expected[1:]

    old.write(joe, "a", "b")
    new_write(joe, "c")
    assert [item for _, item in old.number()] == ["a", "b", "c"]
    numbered(["a", "b", "c"])
    assert old.number() == []
    old.write(joe, "d")
    new_write(joe, "e", "f")
    assert len(number()) == 3
    numbered(["d", "e", "f"])
    assert number() == []
    new_write(joe, "g")
    assert [item for _, item in old.number()] == ["g"]
    numbered(["g"])


def test_a_relay_that_no_longer_leads_gives_no_position_twice(old: Old) -> None:
    joe = User.objects.create(username="joe", userid="005")
    new_write(joe, "a")
    number()
    old.write(joe, "b")
    with pytest.raises(psycopg.errors.UniqueViolation):
        old.ask(NUMBER, 0)
    assert new_read() == [(1, "a")]
    assert old.number() == [(2, "b")]


def test_the_old_relay_looks_its_events_up_among_few(old: Old) -> None:
    joe = User.objects.create(username="joe", userid="005")
    items = [str(number) for number in range(2_200)]
    old.write(joe, *items)
    assert old.ask("SELECT count(*) FROM purchases_event WHERE position IS NULL") == [(2_000,)]
    numbered: list[tuple[int, str]] = []
    while batch := old.number():
        numbered += batch
    assert numbered == list(enumerate(items, 1))


def test_the_view_refuses_changes_of_the_log(old: Old) -> None:
    joe = User.objects.create(username="joe", userid="005")
    new_write(joe, "a")
    number()
    old.write(joe, "b")
    for change in ("position = 7", "position = NULL", "customer_id = customer_id + 1"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            old.ask(f"UPDATE purchases_event SET {change} RETURNING position")
    with pytest.raises(psycopg.Error):
        old.ask("DELETE FROM purchases_event RETURNING position")


def test_other_types_are_not_for_the_version_before(old: Old) -> None:
    joe = User.objects.create(username="joe", userid="005")
    old.write(joe, "a")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO events_outbox (id, type, payload) VALUES (uuidv7(), 2, '{}')")
    assert old.number() == [(1, "a")]
    number()
    assert old.ask(LATEST) == [(2,)]
    old.write(joe, "b")
    assert old.number() == [(3, "b")]
    assert old.read() == new_read() == [(1, "a"), (3, "b")]


def test_what_was_recorded_before_the_deploy_is_in_the_log_and_old_statements_go_on(
    old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The previous version's tables, migrated while its processes run."""
    joe = User.objects.create(username="joe", userid="005")
    monkeypatch.setattr(_migration("0007_copy_events"), "BATCH", 2)
    _as_before()
    old.write(joe, *"abcde")
    old.number()
    old.write(joe, "f")
    _migrate("0007_copy_events", "copy")
    # One event is numbered after the copy; another has no position yet when the view replaces the
    # table.
    old.number()
    old.write(joe, "g", "h")
    _migrate("0008_event_view", "swap_once")
    _migrate("0009_drop_copied_events", "drop")
    assert new_read() == old.read() == list(zip(range(1, 7), "abcdef", strict=True))
    old.write(joe, "i")
    new_write(joe, "j")
    assert [item for _, item in old.number()] == ["g", "h", "i", "j"]
    assert new_read() == old.read() == list(zip(range(1, 11), "abcdefghij", strict=True))


@pytest.mark.parametrize("again", ["0007_copy_events copy", "0008_event_view swap_once"])
def test_a_migration_that_was_broken_off_goes_on(old: Old, again: str) -> None:
    joe = User.objects.create(username="joe", userid="005")
    _as_before()
    old.write(joe, *"abc")
    old.number()
    for step in ("0007_copy_events copy", "0008_event_view swap_once"):
        _migrate(*step.split())
    _migrate(*again.split())
    _migrate("0009_drop_copied_events", "drop")
    _migrate("0009_drop_copied_events", "drop")
    assert new_read() == old.read() == [(1, "a"), (2, "b"), (3, "c")]


def test_a_table_that_was_not_copied_whole_is_not_dropped(old: Old) -> None:
    joe = User.objects.create(username="joe", userid="005")
    _as_before()
    old.write(joe, *"abc")
    old.number()
    _migrate("0008_event_view", "swap_once")
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM events_event WHERE position = 2")
        cursor.execute("RESET session_replication_role")
        with pytest.raises(RuntimeError, match="1 events are not in the log"):
            _migrate("0009_drop_copied_events", "drop")
        cursor.execute("DROP TABLE purchases_event_before")


def _migration(name: str) -> Any:
    return importlib.import_module(f"purchases.migrations.{name}")


def _migrate(name: str, code: str) -> None:
    """Run the code of a migration."""
    with connection.schema_editor(atomic=False) as editor:
        getattr(_migration(name), code)(None, editor)


def _as_before() -> None:
    """Put the event table back as it was, and forget the migrations that changed it."""
    with connection.cursor() as cursor:
        cursor.execute("DROP VIEW purchases_event")
        cursor.execute("DROP FUNCTION purchases_event_insert, purchases_event_number")
        cursor.execute(
            "CREATE TABLE purchases_event (purchase_id uuid PRIMARY KEY REFERENCES"
            " purchases_purchase, customer_id bigint NOT NULL, position bigint UNIQUE)"
        )
