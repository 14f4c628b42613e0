"""Traces of somebody outside rows of their own: others' entries, sessions, old addresses."""

from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.models import OutgoingMail, Token, User
from audit.models import COLUMN, Detail
from people.models import Team
from personal.tasks import erase_due
from personal.tests.conftest import recent
from shop.core.sealing import unseal

JSON = "application/json"


def _session(**values: Any) -> str:
    session = SessionStore()
    session.update(values)
    session.save()
    return str(session.session_key)


def _told() -> str:
    details = Detail.objects.all()
    return " ".join(
        unseal(each.sealed, account=each.account_id, column=COLUMN).decode() for each in details
    )


@pytest.mark.django_db(transaction=True)
def test_an_erasure_finds_what_is_not_in_rows_of_the_person(private: Path) -> None:
    ann = User.objects.create(username="qannx", userid="7001", email="qannx-old@example.com")
    boss = User.objects.create(username="boss", is_staff=True)
    zoe = User.objects.create(username="zoe", email="zoe@example.com")
    address = EmailAddress.objects.create(user=ann, email=ann.email, verified=True, primary=True)
    # Zoe's address was Ann's once.
    EmailAddress.objects.create(user=ann, email="zoe@example.com", verified=True).delete()
    EmailAddress.objects.create(user=zoe, email="zoe@example.com", verified=True, primary=True)
    for recipient in (ann.email, "zoe@example.com"):
        OutgoingMail.objects.create(recipient=recipient, subject="s", status="sent")
    admin = recent(boss)
    team = Team.objects.create(name="crew", roles=[])
    invitations = f"/api/v1/teams/{team.pk}/invitations/"
    assert admin.post(invitations, {"email": ann.email}, JSON).status_code == 202
    for query in ("?username=qannx", "?userid=7001"):
        assert admin.get(f"/api/v1/purchases/export.csv{query}").status_code == 200
    for query in ("?actor=qannx", "?account=qannx"):
        assert admin.get(f"/api/v1/audit/export.csv{query}").status_code == 200
    # The address changes, and somebody else's session and two sign-ins go on.
    EmailAddress.objects.create(user=ann, email="qannx@example.com", verified=True)
    address.delete()
    User.objects.filter(pk=ann.pk).update(email="qannx@example.com")
    begun = {"account_login": {"user_pk": str(ann.pk), "email": "qannx@example.com"}}
    gone = [_session(**begun), _session(state={"email": "QANNX-old@example.com"})]
    kept = [_session(user_pk=str(zoe.pk), resend_count=ann.pk), _session(note="qannx")]

    body = {"username": "qannx", "reason": "a letter", "now": True}
    assert admin.post("/api/v1/accounts/7001/erasure/", body, JSON).status_code == 202
    erase_due()
    assert "qannx" not in _told()
    assert "7001" not in _told()
    assert {each.recipient for each in OutgoingMail.objects.all()} == {"zoe@example.com"}
    assert not team.invitations.exists()
    assert not Session.objects.filter(pk__in=gone).exists()
    assert Session.objects.filter(pk__in=kept).count() == 2

    # A userid alone would become the username, too.
    till = Token.objects.create(User.objects.create(username="till", is_client=True))[1]
    for name in ({"userid": "qannx"}, {"userid": "QANNX"}, {"username": "7001"}):
        answer = Client().post(
            "/api/v1/purchases/",
            {"item": "a lamp", "quantity": 1, "price": "1.00", **name},
            content_type=JSON,
            headers={"Authorization": f"Token {till}"},
        )
        assert answer.status_code == 409, answer.content
        assert answer.json()["errors"][0]["code"] == "customer_erased"
