"""Names and passwords: which accounts they find, how attempts count, and what ends with them."""

import unicodedata
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import Argon2PasswordHasher, check_password
from django.core.cache import cache
from django.test import Client

from accounts.authentication import ticket_issue
from accounts.models import LiveTicket, Token, User
from accounts.passwords import Argon2
from accounts.tests.conftest import PASSWORD, make_recent

pytestmark = pytest.mark.django_db


def token(username: str, password: str = PASSWORD, address: str = "10.0.0.1") -> int:
    answer = Client(REMOTE_ADDR=address).post(
        "/api/v1/auth/token/",
        {"username": username, "password": password},
        content_type="application/json",
    )
    return answer.status_code


def page(login: str, password: str = PASSWORD, address: str = "10.0.0.1") -> int:
    form = {"login": login, "password": password}
    return Client(REMOTE_ADDR=address).post("/accounts/login/", form).status_code


@pytest.mark.parametrize("spelling", ["alice", "ALICE", "Alice@Example.com", "alice@example.com"])
def test_sign_in_by_username_or_address(alice: User, spelling: str) -> None:
    assert (token(spelling), page(spelling)) == (200, 302)
    assert (token(spelling, "wrong"), page(spelling, "wrong")) == (401, 200)


def test_a_stranger_does_not_take_the_address_that_somebody_signs_in_by(alice: User) -> None:
    EmailAddress.objects.create(user=alice, email=alice.email, primary=True)
    other = "other-lamp-43"
    # One has it as username, one claims it later, one claims it besides an address of its own.
    User.objects.create_user(alice.email, "m@example.com", other)
    late = User.objects.create_user("late", alice.email, other)
    EmailAddress.objects.create(user=late, email=alice.email, primary=True)
    EmailAddress.objects.filter(user=alice).update(verified=True)
    assert token(alice.email) == 200
    assert token(alice.email, other) == 401


def test_every_spelling_counts_for_the_account_that_it_finds(alice: User) -> None:
    """PostgreSQL decides which account a name finds, so it decides which names are the same."""
    till = User.objects.create_user("till", "till@example.com", PASSWORD)
    spellings = ["till", "TILL", "till@example.com", "ＴＩＬＬ", "tiLL", "Till@EXAMPLE.com"]
    statuses = [token(spelling, "wrong") for spelling in spellings]
    assert statuses == [401] * 5 + [429]
    assert page("till", PASSWORD) == 200
    assert token("till", PASSWORD, "10.0.0.2") == 200
    assert till.pk
    # A name of no account is counted alike.
    spellings = ["nobody", "NOBODY", "ｎobody", "Nobody", "nobodY", "nobody"]
    assert [token(each, "wrong") for each in spellings] == [401] * 5 + [429]


@pytest.mark.parametrize(
    "name", ["a\u0301" * 120, "\u0344" * 250, "x" * 254, "İ" * 250, "a b", "%"]
)
def test_odd_names_are_nobodys(name: str) -> None:
    assert token(name, "wrong") == 401
    assert page(name, "wrong") == 200


def test_limits_see_the_network_of_an_ipv6_address(alice: User) -> None:
    """One subscriber has a /64, and an IPv4 address may be written as IPv6."""
    for number in range(5):
        assert token("alice", "wrong", f"2001:db8::{number + 1}") == 401
    assert token("alice", PASSWORD, "2001:db8::ffff") == 429
    assert token("alice", PASSWORD, "2001:db8:0:1::1") == 200
    cache.clear()
    for number in range(31):
        status = token(f"nobody{number}", "wrong", f"2001:db8::{number}:1")
    assert status == 429
    cache.clear()
    for _ in range(5):
        token("alice", "wrong", "::ffff:10.0.0.9")
    assert token("alice", PASSWORD, "10.0.0.9") == 429


NFC, NFD = (
    unicodedata.normalize("NFC", "crème-brûlée-42"),
    unicodedata.normalize("NFD", "crème-brûlée-42"),
)


@pytest.mark.parametrize(("first", "then"), [(NFC, NFD), (NFD, NFC)])
def test_a_password_is_the_same_in_every_form(settings: Any, first: str, then: str) -> None:
    settings.PASSWORD_HASHERS = ["accounts.passwords.Argon2"]
    account = {"username": "eve", "email": "eve@example.com", "password": first}
    answer = Client().post("/api/v1/accounts/", account, content_type="application/json")
    assert answer.status_code == 201
    assert (token("eve", then), page("eve", then)) == (200, 302)
    client = Client()
    client.force_login(User.objects.get())
    form = {"oldpassword": then, "password1": f"2{then}", "password2": f"2{then}"}
    assert client.post("/accounts/password/change/", form).status_code == 302
    assert token("eve", f"2{first}") == 200
    # `createsuperuser` makes such an account.
    User.objects.create_superuser("root", "root@example.com", first)
    assert token("root", then) == 200


def test_an_older_hash_of_another_form_stays_good(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["accounts.passwords.Argon2"]
    old = Argon2PasswordHasher()
    encoded = old.encode(NFD, old.salt())
    assert check_password(NFD, encoded)
    assert not check_password("other", encoded)
    assert Argon2().verify(NFC, old.encode(NFC, old.salt()))
    # Too many marks are not normalised, because that would take minutes.
    assert not check_password("a" + "\u0315\u0300" * 100_000, encoded)


def test_an_account_keeps_its_newest_tokens(alice: User, settings: Any) -> None:
    settings.TOKENS_PER_ACCOUNT = 3
    bob = User.objects.create_user("bob", password=PASSWORD)
    Token.objects.create(user=bob)
    for number in range(5):
        cache.clear()
        assert token("alice", address=f"10.0.1.{number}") == 200
        newest = Token.objects.filter(user=alice).latest("created").digest
    assert Token.objects.filter(user=alice).count() == 3
    assert Token.objects.filter(digest=newest).exists()
    assert Token.objects.filter(user=bob).exists()


def test_an_account_keeps_its_newest_tickets(alice: User, settings: Any) -> None:
    settings.LIVE_TICKETS_PER_ACCOUNT = 3
    for _ in range(5):
        ticket_issue(user=alice, session_key="x" * 32)
    assert LiveTicket.objects.filter(user=alice).count() == 3


def test_without_a_password_there_are_no_tokens(alice: User, admin_client: Client) -> None:
    """ "Disable password-based authentication" in the admin."""
    Token.objects.create(user=alice)
    session = Client()
    session.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    form = {"usable_password": "false", "unset-password": "Disable"}
    make_recent(admin_client, User.objects.get(username="admin"))
    answer = admin_client.post(f"/admin/accounts/user/{alice.pk}/password/", form)
    assert answer.status_code == 302
    alice.refresh_from_db()
    assert not alice.has_usable_password()
    assert not Token.objects.filter(user=alice).exists()
    assert session.get("/purchases/").status_code == 302
    assert token("alice") == 401


@pytest.mark.parametrize(
    "value",
    [
        '"\\000abcdefghijk"',
        '"\\012x"',
        '"\\303\\050abcdefgh"',
        '"\\200\\377aaaaaaaaaaaaaaa"',
        "\xff\xfeabcdefgh",
        "\x01\x02abcdefgh",
    ],
)
@pytest.mark.parametrize("name", ["sessionid", "csrftoken", "messages"])
def test_no_cookie_is_an_error(name: str, value: str) -> None:
    """A quoted cookie may contain characters that PostgreSQL refuses."""
    for path in ("/", "/accounts/login/", "/api/v1/accounts/me/", "/purchases/"):
        for method in ("GET", "POST"):
            answer = Client().generic(method, path, HTTP_COOKIE=f"{name}={value}")
            assert answer.status_code < 500, (path, method)
