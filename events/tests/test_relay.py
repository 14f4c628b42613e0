"""Which of the events that wait the relay numbers first."""

from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from accounts.access import Caller
from accounts.models import User
from events.relay import BATCH, NUMBER_IN_TURN, NUMBER_OLDEST
from purchases.entries import Entry
from purchases.models import Event
from purchases.services import record_purchases
from purchases.validation import parse_purchase

pytestmark = pytest.mark.django_db


def _buy(name: str, count: int) -> None:
    user, _ = User.objects.get_or_create(username=name, userid=name)
    caller = Caller.of(user)
    record_purchases(
        [
            Entry(
                caller,
                parse_purchase({"item": f"{number}", "price": "1"}, now=timezone.now()),
                nonce=uuid4().hex,
            )
            for number in range(count)
        ]
    )


def _number(statement: str) -> list[str]:
    """Number a batch; return whose events it has, in the order of their positions."""
    position = Event.objects.filter(position__isnull=False).count()
    with connection.cursor() as cursor:
        cursor.execute(statement, [position])
        return [row[3] for row in cursor.fetchall()]


def test_behind_an_upload_everybody_else_has_a_turn() -> None:
    _buy("hog", 2 * BATCH + 10)
    _buy("ann", 2)
    assert set(_number(NUMBER_OLDEST)) == {"hog"}
    numbered = _number(NUMBER_IN_TURN)
    assert numbered.count("ann") == 2
    assert len(numbered) == BATCH
    assert _number(NUMBER_IN_TURN) == ["hog"] * 12
    for name in ("hog", "ann"):
        events = Event.objects.filter(purchase__customer__username=name).order_by("position")
        ids = list(events.values_list("purchase_id", flat=True))
        assert ids == sorted(ids)
    positions = Event.objects.order_by("position").values_list("position", flat=True)
    assert list(positions) == list(range(1, 2 * BATCH + 13))
