"""Sign-ins and sign-outs are counted where they happen: on pages, by tokens, when they end."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import BrowserSession, Token, User
from accounts.tasks import purge
from operations.sessions import add_expired
from operations.tests.conftest import sql
from operations.turnover import Predicted, judge, predict

NOW = "/api/v1/operations/now/"
PASSWORD = "orchid-lamp-42"


def counted() -> list[tuple[Any, ...]]:
    return sorted(sql("SELECT kind, channel FROM operations_sessionevent"))


@pytest.mark.django_db
def test_sign_ins_and_outs_are_counted(
    operator: Client, django_capture_on_commit_callbacks: Any
) -> None:
    joe = User(username="joe", userid="005", email="joe@example.org")
    joe.set_password(PASSWORD)
    joe.save()
    joe.emailaddress_set.create(email=joe.email, verified=True, primary=True)  # type: ignore[attr-defined]
    client = Client()

    def post(path: str, body: Any = None, token: str = "") -> Any:
        headers = {"Authorization": f"Token {token}"} if token else {}
        with django_capture_on_commit_callbacks(execute=True):
            return client.post(path, body or {}, content_type="application/json", headers=headers)

    tokens = [
        post("/api/v1/auth/token/", {"username": "joe", "password": PASSWORD}).json()["token"]
        for _ in range(3)
    ]
    assert counted() == [("signed_in", "token")] * 3
    assert post("/api/v1/auth/token/", {"username": "joe", "password": "no"}).status_code == 401
    assert post("/api/v1/auth/logout/", token=tokens[0]).status_code == 204
    assert ("signed_out", "token") in counted()
    assert post("/api/v1/sessions/end/", {"keep_current": True}, token=tokens[1]).status_code == 200
    assert ("revoked", "token") in counted()
    # What has ended with time is counted once, also if the purge comes first.
    before = len(counted())
    Token.objects.filter(user=joe).update(expiry=timezone.now() - timedelta(seconds=5))
    Session.objects.create(
        session_key="k" * 32, session_data="", expire_date=timezone.now() - timedelta(seconds=3)
    )
    BrowserSession.objects.create(session_key="k" * 32, user=joe)
    purge()
    assert not Session.objects.filter(session_key="k" * 32).exists()
    for _ in range(2):
        add_expired()
    assert len(counted()) == before + 2
    assert {("expired", "token"), ("expired", "web")} <= set(counted())
    turnover = operator.get(NOW, {"minutes": 5}).json()["turnover"]
    assert {name: turnover[name] for name in ("signed_in", "signed_out", "expired")} == {
        "signed_in": 3, "signed_out": 1, "expired": 2,
    }  # fmt: skip
    assert turnover["predicted"] is None


def test_intervals_of_small_counts_are_whole_numbers_and_hold_what_they_promise() -> None:
    assert predict([0, 0, 0]).low == 0
    assert judge(0, Predicted(0.0, 0, 1)) == "as_expected"
    assert judge(9, predict([1, 0, 2, 1])) == "more"
    assert judge(0, predict([30, 28, 33, 31])) == "fewer"
    for counts in ([0], [1, 0, 0, 2], [5, 9, 4, 7, 6, 8], [400, 380, 431]):
        usual = predict(counts)
        assert 0 <= usual.low <= usual.mean <= usual.high
        assert usual.level == 80
