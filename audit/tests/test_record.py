"""Writing entries: in the transaction of the change, and never changed."""

from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from audit.models import Detail, Waiting
from audit.services import record

pytestmark = pytest.mark.django_db


def test_an_entry_is_in_the_transaction_of_its_change() -> None:
    with transaction.atomic():
        record("account.changed", object="account:5", actor_id=5)
        transaction.set_rollback(True)
    assert not Waiting.objects.exists()
    record(
        "account.changed",
        object="account:5",
        actor_id=7,
        before={"roles": {"b", "a"}, "id": UUID(int=1)},
        after={"text": "a\0\ud800"},
        personal={"email": "joe@example.com"},
    )
    entry = Waiting.objects.get()
    assert (entry.actor_id, entry.account_id) == (7, 5)
    assert entry.before == {"roles": ["a", "b"], "id": str(UUID(int=1))}
    assert entry.after == {"text": "a\ufffd\ufffd"}
    detail = Detail.objects.get()
    assert detail.pk == entry.pk
    assert "joe" not in detail.sealed


@pytest.mark.django_db(transaction=True)
def test_nothing_is_recorded_outside_of_a_transaction() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        record("account.changed", object="account:5", actor_id=5)


def test_what_cannot_be_recorded_is_refused() -> None:
    with pytest.raises(LookupError):
        record("account.eaten", object="account:5", actor_id=5)
    for bad in ("joe@example.com", "account:", "account:Zoë", "account:5\n", ""):
        with pytest.raises(ValueError, match="kind:id"):
            record("account.changed", object=bad, actor_id=5)
    for value in (1.5, b"x", {"ä": 1}, object()):
        with pytest.raises(ValueError, match=r"canonical|called"):
            record("account.changed", object="account:5", actor_id=5, after={"it": value})
    with pytest.raises(ValueError, match="larger"):
        record("account.changed", object="account:5", actor_id=5, after={"it": "x" * 17_000})


def test_the_database_keeps_an_entry_that_waits() -> None:
    record("account.changed", object="account:5", actor_id=5)
    for change in ("DELETE FROM audit_waiting", "UPDATE audit_waiting SET actor_id = 6"):
        with (
            pytest.raises(DatabaseError, match="refused"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(change)
