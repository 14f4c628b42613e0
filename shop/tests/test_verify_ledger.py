"""`manage.py verify_ledger`: what it checks, and that it finds damage."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.access import Caller
from accounts.models import User
from events.selectors import latest_position
from events.tests.log import number
from purchases.entries import Entry
from purchases.services import record_purchases
from purchases.validation import parse_purchase
from reports.models import Report

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def customer() -> User:
    user = User.objects.create(username="joe", userid="005")
    rows = [{"price": str(price), "timestamp": "2024-05-31T15:54:32Z"} for price in (1, 2, 3)]
    record_purchases(
        [Entry(Caller.of(user), parse_purchase(row, now=timezone.now())) for row in rows]
    )
    number()
    return user


def _verify() -> str:
    output = StringIO()
    call_command("verify_ledger", stdout=output)
    return output.getvalue()


def test_a_sound_ledger_passes_and_says_what_was_checked(customer: User) -> None:
    said = _verify()
    assert "3 events, 3 of them numbered, the last 3." in said
    assert "EUR: 3 purchases, 6.00 in total" in said
    assert "BROKEN" not in said
    assert "ok      Every purchase has its event." in said


@pytest.mark.parametrize(
    ("damage", "broken"),
    [
        ("DELETE FROM events_event WHERE position = 3", "Every purchase has its event."),
        (
            "UPDATE events_event SET customer_id = customer_id + 1 WHERE position = 2",
            "Every event has its purchase, and names its customer.",
        ),
        (
            "UPDATE events_event SET position = 9 WHERE position = 3",
            "No gap in the positions.",
        ),
        (
            "UPDATE events_event SET position = 0 WHERE position = 1",
            "No position is given twice, and none is below 1.",
        ),
    ],
)
def test_damage_is_found(customer: User, damage: str, broken: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE events_event DISABLE TRIGGER USER")
        cursor.execute(damage)
        cursor.execute("ALTER TABLE events_event ENABLE TRIGGER USER")
    output = StringIO()
    with pytest.raises(CommandError) as failure:
        call_command("verify_ledger", stdout=output)
    assert failure.value.returncode == 1
    assert f"BROKEN  {broken}" in output.getvalue()


def test_a_finished_report_without_its_pdf_is_found(customer: User) -> None:
    Report.objects.create(
        kind="statement", requested_by=customer, since="2024-05-01", until="2024-05-31",
        status=Report.Status.SENT, file="2024/05/none.pdf", sha256="0" * 64,
    )  # fmt: skip
    output = StringIO()
    with pytest.raises(CommandError):
        call_command("verify_ledger", stdout=output)
    assert "has no PDF" in output.getvalue()


def test_the_gap_that_a_restore_makes_is_no_damage_and_positions_go_on_above_it(customer: User):
    assert latest_position() == 3
    with connection.cursor() as cursor:
        cursor.execute("SET shop.position_floors = '7,1000'")
        try:
            assert latest_position() == 1000
            for position, whole in ((1001, True), (8, True), (1002, False)):
                cursor.execute("ALTER TABLE events_event DISABLE TRIGGER USER")
                cursor.execute(
                    "UPDATE events_event SET position = %s WHERE position > 2", [position]
                )
                cursor.execute("ALTER TABLE events_event ENABLE TRIGGER USER")
                if whole:
                    assert "ok      No gap in the positions." in _verify()
                else:
                    with pytest.raises(CommandError):
                        _verify()
            assert latest_position() == 1002
        finally:
            cursor.execute("ALTER TABLE events_event ENABLE TRIGGER USER")
            cursor.execute("RESET shop.position_floors")
