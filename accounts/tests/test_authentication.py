"""Credentials of websockets: tokens, sessions and one-use tickets."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.access import Caller, may_record_for_anyone, may_see_everything
from accounts.authentication import (
    Credential,
    callers_by_credential,
    callers_by_digest,
    ticket_issue,
    ticket_redeem,
    token_digest,
)
from accounts.models import LiveTicket, Token, User
from accounts.permissions import ALL, CLIENT, CUSTOMER
from accounts.tasks import purge

pytestmark = pytest.mark.django_db


def session_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.session.session_key or ""


def token_of(user: User, **kwargs: Any) -> str:
    return str(Token.objects.create(user=user, **kwargs)[0].digest)


def test_who_may_do_what() -> None:
    for mask, sees, records in [(CUSTOMER, 0, 0), (ALL, 1, 1), (CLIENT, 0, 1)]:
        caller = Caller(1, "joe", "005", int(mask))
        assert may_see_everything(caller) == sees
        assert may_record_for_anyone(caller) == records


@pytest.mark.parametrize("token", ["", "x", "a" * 129, "é" * 64, "a" * 63 + "\n", b"\xff" * 64])
def test_malformed_tokens_have_no_digest(token: str | bytes) -> None:
    assert token_digest(token) is None


def test_callers_by_digest(alice: User, django_assert_num_queries: Any) -> None:
    bob = User.objects.create_user("bob", is_client=True, userid="200")
    gone = User.objects.create_user("gone", is_active=False)
    row, token = Token.objects.create(user=alice)
    assert token_digest(token) == token_digest(token.encode()) == row.digest
    digests = {
        row.digest,
        token_of(bob, expiry=None),
        token_of(gone),
        token_of(alice, expiry=timedelta(seconds=-1)),
        "unknown",
    }
    with django_assert_num_queries(1):
        callers = callers_by_digest(digests)
    assert callers[row.digest] == Caller(alice.pk, "alice", "100", int(CUSTOMER))
    assert sorted(caller.username for caller in callers.values()) == ["alice", "bob"]
    with django_assert_num_queries(0):
        assert callers_by_digest([]) == {}


def test_a_session_is_good_until_the_password_or_the_account_changes(alice: User) -> None:
    def caller(key: str) -> Caller | None:
        credential = Credential(session_key=key)
        return callers_by_credential([credential]).get(credential)

    key = session_of(alice)
    assert caller(key) == Caller.of(alice)
    for wrong in ("", "x", "A" * 32, "a" * 32, "\x00" * 32, key + "a" * 100):
        assert caller(wrong) is None
    alice.set_password("another-lamp-43")
    alice.save()
    assert caller(key) is None
    key = session_of(alice)
    User.objects.update(is_active=False)
    assert caller(key) is None


@pytest.mark.parametrize("count", [2, 30])
def test_credentials_take_three_queries(count: int, django_assert_num_queries: Any) -> None:
    users = [User.objects.create_user(f"user{number}") for number in range(count)]
    tokens = [Credential(token_digest=token_of(user)) for user in users]
    sessions = [Credential(session_key=session_of(user)) for user in users]
    unknown = [Credential(), Credential(token_digest="x"), Credential(session_key="a" * 32)]
    with django_assert_num_queries(3):
        valid = callers_by_credential([*tokens, *sessions, *unknown])
    assert valid.keys() == {*tokens, *sessions}
    Token.objects.filter(digest=tokens[0].token_digest).delete()
    User.objects.filter(pk=users[1].pk).update(is_active=False)
    Client(headers={"cookie": f"sessionid={sessions[0].session_key}"}).post("/api/v1/auth/logout/")
    valid = callers_by_credential([*tokens, *sessions])
    assert valid.keys() == {*tokens[2:], *sessions[2:]}


def test_a_ticket_is_good_once_and_carries_its_credential(alice: User) -> None:
    for credential in (
        Credential(token_digest=token_of(alice)),
        Credential(session_key=session_of(alice)),
    ):
        ticket = ticket_issue(
            user=alice,
            token_digest=credential.token_digest,
            session_key=credential.session_key,
        )
        assert re.fullmatch(r"[\w-]{43}", ticket)
        assert ticket.encode() not in bytes(LiveTicket.objects.get().digest)
        assert ticket_redeem(ticket) == (Caller.of(alice), credential)
        assert ticket_redeem(ticket) is None
    for wrong in ("", "a" * 43, "é" * 43, "\x00" * 43):
        assert ticket_redeem(wrong) is None


def test_a_ticket_ends_with_its_time_its_token_and_its_account(alice: User) -> None:
    def issue() -> str:
        return ticket_issue(user=alice, token_digest=token_of(alice))

    ticket = issue()
    LiveTicket.objects.update(expires_at=timezone.now())
    assert ticket_redeem(ticket) is None
    ticket = issue()
    Token.objects.all().delete()
    assert ticket_redeem(ticket) is None
    ticket = issue()
    User.objects.update(is_active=False)
    assert ticket_redeem(ticket) is None


@pytest.mark.django_db(transaction=True)
def test_a_ticket_is_good_once_under_a_race(alice: User) -> None:
    def redeem(ticket: str) -> bool:
        try:
            return ticket_redeem(ticket) is not None
        finally:
            connection.close()

    token = token_of(alice)
    with ThreadPoolExecutor(6) as pool:
        for _ in range(5):
            ticket = ticket_issue(user=alice, token_digest=token)
            assert sum(pool.map(redeem, [ticket] * 6)) == 1


def test_purge_deletes_what_has_ended(alice: User, monkeypatch: Any) -> None:
    monkeypatch.setattr("accounts.tasks.BATCH", 2)
    kept = token_of(alice)
    for _ in range(5):
        token_of(alice, expiry=timedelta(seconds=-1))
        ticket_issue(user=alice, token_digest=kept)
    LiveTicket.objects.update(expires_at=timezone.now())
    ticket = ticket_issue(user=alice, token_digest=kept)
    purge()
    assert [token.digest for token in Token.objects.all()] == [kept]
    assert LiveTicket.objects.count() == 1
    assert ticket_redeem(ticket) is not None


def test_what_a_token_finds_needs_no_converter() -> None:
    """The prepared statement hands values to the models as PostgreSQL's driver gives them."""
    for model in (Token, User):
        for field in model._meta.concrete_fields:
            converters = connection.ops.get_db_converters(field.get_col("any"))
            assert not [*field.get_db_converters(connection), *converters], field
