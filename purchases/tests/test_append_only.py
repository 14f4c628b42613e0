"""Changes that the database refuses to every role."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from accounts.access import Caller
from accounts.models import User
from events.numbering import MOVE_OLDEST
from events.tests.log import number
from purchases.models import Purchase
from purchases.services import record_purchase
from purchases.validation import PurchaseInput
from shop.core.append_only import CHECKS, refuse_truncate
from shop.core.apps import append_only_tables

ROLE: dict[str, Any] = {"user": "shop_app_of_tests", "password": "only-for-this-test"}


def _record(name: str) -> Purchase:
    user = User.objects.create(username=name, userid=name)
    purchase = PurchaseInput(
        "book", 1, Decimal("12.50"), "EUR", datetime(2024, 5, 31, tzinfo=UTC), None, None
    )
    recorded = record_purchase(caller=Caller.of(user), purchase=purchase)
    return Purchase.objects.get(pk=recorded.purchase["id"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE purchases_purchase SET price = 0",
        "UPDATE purchases_purchase SET item = item",
        "DELETE FROM events_event",
        "UPDATE events_event SET position = 7",
        "UPDATE events_event SET customer_id = customer_id + 1",
    ],
)
def test_what_is_recorded_cannot_be_changed_even_by_the_owner(change: str) -> None:
    _record("ledger")
    number()
    with (
        pytest.raises(DatabaseError, match=r"The .+ only grows"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change)


@pytest.mark.django_db
def test_what_only_grows_cannot_be_emptied_in_a_database_of_before_either() -> None:
    _record("ledger")
    tables = append_only_tables()
    assert {"purchases_purchase", "events_event", "audit_entry", "billing_document"} <= set(tables)

    def emptied() -> list[str]:
        (check,) = CHECKS
        return [problem.split()[0] for problem in check.find_broken(lambda _: None)]

    assert emptied() == []
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DROP TRIGGER append_only_whole ON {table}")
        assert emptied() == [*tables]
        cursor.execute(refuse_truncate("purchases_purchase", "events_event"))
        assert emptied() == []
        # Databases of tests are emptied after each test, so the trigger leaves these alone.
        for table in tables:
            cursor.execute(
                f"DROP TRIGGER append_only_whole ON {table};"
                f"CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON {table} FOR EACH STATEMENT"
                " EXECUTE FUNCTION shop_refuse_change()"
            )
            with pytest.raises(DatabaseError, match="only added"), transaction.atomic():
                cursor.execute(f"TRUNCATE {table} CASCADE")


@pytest.mark.django_db
def test_a_purchase_without_an_event_cannot_be_deleted_either() -> None:
    with connection.cursor() as cursor:
        user = User.objects.create(username="ledger", userid="ledger")
        cursor.execute(
            'INSERT INTO purchases_purchase (item, quantity, price, currency, "timestamp",'
            " recorded_by_id, customer_id, dedupe_key) VALUES ('', 1, 1, 'EUR', now(), %s, %s, %s)",
            [user.pk, user.pk, uuid.uuid4()],
        )
        with pytest.raises(DatabaseError, match="The ledger only grows"), transaction.atomic():
            cursor.execute("DELETE FROM purchases_purchase")


@pytest.fixture
def as_application(transactional_db: None, settings: Any) -> Iterator[psycopg.Connection[Any]]:
    """A connection as the role that the processes of a site run as."""
    settings.DATABASE_APPLICATION = ROLE
    call_command("prepare_database", stdout=StringIO())
    parameters = connection.settings_dict
    with psycopg.connect(
        dbname=parameters["NAME"], host=parameters["HOST"], port=parameters["PORT"], **ROLE
    ) as own:
        own.autocommit = True
        yield own
    with connection.cursor() as cursor:
        cursor.execute(f"DROP OWNED BY {ROLE['user']}")
        cursor.execute(f"DROP ROLE {ROLE['user']}")


def test_the_application_role_can_only_add_to_the_ledger(
    as_application: psycopg.Connection,
) -> None:
    purchase = _record("ledger")
    for refused in (
        "UPDATE purchases_purchase SET price = 0",
        "DELETE FROM purchases_purchase",
        "DELETE FROM events_event",
        "UPDATE events_event SET customer_id = 1",
        "TRUNCATE events_event",
        "TRUNCATE events_outbox",
        "ALTER TABLE purchases_purchase DISABLE TRIGGER ALL",
        "ALTER TABLE purchases_purchase ADD COLUMN note text",
        "DROP TABLE events_event",
        "DROP TRIGGER purchases_purchase_append_only ON purchases_purchase",
        "CREATE TABLE mine (id int)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DELETE FROM django_migrations",
        "CREATE ROLE another",
        "SET ROLE shop",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_application.execute(refused)
    as_application.execute(MOVE_OLDEST, {"xid": 0, "open": [], "limit": 1, "position": 0})
    row = as_application.execute("SELECT id FROM events_event").fetchone()
    assert row == (purchase.pk,)
    # PostgreSQL only warns where the role may not.
    notices: list[str] = []
    as_application.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
    as_application.execute("VACUUM events_outbox")
    assert not notices
    row = as_application.execute(
        "SELECT count(*) FROM pg_class AS class JOIN pg_roles AS role ON role.oid = class.relowner"
        " WHERE role.rolname = %s",
        [ROLE["user"]],
    ).fetchone()
    assert row == (0,)


def test_preparing_a_database_twice_changes_nothing(as_application: psycopg.Connection) -> None:
    call_command("prepare_database", stdout=StringIO())
    row = as_application.execute("SELECT count(*) FROM purchases_purchase").fetchone()
    assert row == (0,)
