"""Reading the audit: who sees what of it, filters, pages, and the verification."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import Token, User
from audit.models import Entry
from audit.notes import note_open
from audit.sealing import chain_reached, seal_waiting
from audit.services import record

pytestmark = pytest.mark.django_db


@pytest.fixture
def joe() -> User:
    return _unrecorded(User(username="joe", userid="005"))


@pytest.fixture
def ann() -> User:
    ann = User(username="ann", userid="ann-1")
    ann.give_roles(["auditor"])
    return _unrecorded(ann)


def _unrecorded(user: User) -> User:
    """Store an account without an entry, as a till stores the customers that it names."""
    return User.objects.bulk_create([user])[0]


def _get(user: User, path: str, **query: Any) -> Any:
    _, token = Token.objects.create(user=user)
    answer = Client().get(f"/api/v1/{path}", query, headers={"Authorization": f"Token {token}"})
    assert answer.status_code == 200, answer.content
    return answer.json()


def _record(actor: User, about: User, action: str = "account.changed", **more: Any) -> None:
    record(
        action,
        object=f"account:{about.pk}",
        actor_id=actor.pk,
        personal={"address": "192.0.2.7"},
        **more,
    )


def test_filters_and_pages(joe: User, ann: User) -> None:
    for number in range(5):
        _record(ann, joe, after={"number": number})
    _record(joe, joe, "password.changed")
    seal_waiting()

    def seqs(**query: Any) -> list[int]:
        return [entry["seq"] for entry in _get(ann, "audit/", **query)["results"]]

    assert seqs() == [6, 5, 4, 3, 2, 1]
    assert seqs(actor="joe") == seqs(actor="005") == seqs(actor=f"account:{joe.pk}") == [6]
    assert seqs(actor="nobody") == []
    assert seqs(account="joe", action="account") == [5, 4, 3, 2, 1]
    assert seqs(action="password.changed") == seqs(action="password") == [6]
    assert seqs(object=f"account:{joe.pk}", to=3) == [3, 2, 1]
    assert seqs(**{"from": 5}) == [6, 5]
    last = _get(ann, "audit/", to=6)["results"][0]["at"]
    assert seqs(since=last) == [6]
    assert seqs(until=last) == [6, 5, 4, 3, 2, 1]
    assert seqs(since=last[:10], until=last[:10]) == seqs()
    assert seqs(until="2024-05-31") == seqs(since="9999-12-31") == []
    page = _get(ann, "audit/", page_size=4)
    second = (
        Client()
        .get(page["next"], headers={"Authorization": f"Token {Token.objects.create(user=ann)[1]}"})
        .json()
    )
    assert [entry["seq"] for entry in second["results"]] == [2, 1]
    assert second["next"] is None
    assert seqs(cursor="last", page_size=2) == [2, 1]


def test_malformed_filters_are_named(ann: User) -> None:
    _, token = Token.objects.create(user=ann)
    for name, value in {
        "since": "yesterday", "until": "2024-05-31T10:00", "from": "-1", "to": "x",
        "actor": "x" * 300, "cursor": "bm9uZQ", "page_size": "0",
    }.items():  # fmt: skip
        answer = Client().get(
            "/api/v1/audit/", {name: value}, headers={"Authorization": f"Token {token}"}
        )
        assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, name)


def test_an_entry_has_what_the_contract_says_and_an_account_sees_its_own(
    joe: User, ann: User
) -> None:
    _record(ann, joe, before={"is_active": True}, after={"is_active": False})
    _record(joe, joe, "password.changed")
    _record(ann, ann)
    seal_waiting()
    entry = _get(ann, "audit/")["results"][2]
    assert entry["actor"] == f"account:{ann.pk}"
    assert entry["actor_name"] == "ann"
    assert (entry["before"], entry["after"]) == ({"is_active": True}, {"is_active": False})
    assert entry["personal"]["address"] == "192.0.2.7"
    assert entry["hash"] == _get(ann, "audit/")["results"][1]["previous"]
    mine = _get(joe, "accounts/me/audit/")["results"]
    assert [each["seq"] for each in mine] == [2, 1]
    # Nobody sees the address or the name of somebody else, who may be staff.
    assert [each["actor_name"] for each in mine] == ["joe", None]
    assert mine[0]["personal"]["address"] == "192.0.2.7"
    assert mine[1]["personal"] is None


def test_a_part_of_the_chain_is_verified(
    joe: User, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.audit.api.VERIFIED_AT_ONCE", 4)
    for _ in range(10):
        _record(ann, joe)
    seal_waiting()
    verdict = _get(ann, "audit/verify/")
    assert verdict == {
        "ok": True, "from": 1, "to": 4, "checked": 4, "head": 10, "erased": 0, "findings": [],
        "next": 5,
    }  # fmt: skip
    assert _get(ann, "audit/verify/", **{"from": 9})["next"] is None
    assert _get(ann, "audit/verify/", **{"from": 2, "to": 3})["checked"] == 2
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER append_only ON audit_entry")
    Entry.objects.filter(seq=7).update(actor_id=joe.pk)
    Entry.objects.filter(seq__gte=9)._raw_delete("default")
    found = _get(ann, "audit/verify/", **{"from": 5})
    assert not found["ok"]
    assert [(each["fault"], each["seq"], each["until"]) for each in found["findings"]] == [
        ("changed", 7, 7)
    ]
    (cut,) = _get(ann, "audit/verify/", **{"from": 8})["findings"]
    assert (cut["fault"], cut["seq"], cut["until"]) == ("truncated", 9, 10)


def test_the_checkpoint_is_a_signed_note(joe: User, ann: User) -> None:
    _, token = Token.objects.create(user=ann)
    client = Client(headers={"Authorization": f"Token {token}"})
    assert client.get("/api/v1/audit/checkpoint/").status_code == 404
    _record(ann, joe)
    seal_waiting()
    answer = client.get("/api/v1/audit/checkpoint/")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert note_open(answer.content.decode()) == chain_reached()
