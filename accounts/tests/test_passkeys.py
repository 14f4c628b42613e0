"""Passkeys, with an authenticator in software that also misbehaves."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.core.context import request_context
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.cache import cache
from django.db import connections
from django.test import Client, RequestFactory

from accounts.factors.relying_party import origin, passkeys_need_a_name, relying_party_id
from accounts.factors.services import LastWayIn, passkey_remove
from accounts.models import User
from accounts.tests.authenticator import SoftAuthenticator
from accounts.tests.conftest import PASSWORD, SentMail
from audit.models import Waiting

LOGIN = "/accounts/2fa/passkeys/login/"
ADD = "/accounts/2fa/passkeys/add/"
SECOND = "/accounts/2fa/authenticate/"
CONFIRM = "/accounts/2fa/passkeys/reauthenticate/"


@pytest.fixture
def owner(alice: User) -> User:
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    return alice


def signed_in(client: Client) -> bool:
    return client.get("/api/v1/accounts/me/").status_code == 200


def by_password(client: Client) -> Any:
    return client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})


def options(client: Client, where: str) -> dict[str, Any]:
    return dict(client.get(f"{where}?options").json())


def add(client: Client, passkey: SoftAuthenticator, name: str = "phone") -> Any:
    answer = passkey.make(options(client, ADD))
    return client.post(ADD, {"name": name, "credential": answer})


def use(client: Client, passkey: SoftAuthenticator, where: str = LOGIN, **how: Any) -> Any:
    return client.post(where, {"credential": passkey.sign(options(client, where), **how)})


@pytest.fixture
def passkey(owner: User) -> SoftAuthenticator:
    """A passkey of alice's."""
    made = SoftAuthenticator(origin())
    client = Client()
    by_password(client)
    assert "not shown again" in add(client, made).content.decode()
    return made


def test_a_passkey_is_both_factors(passkey: SoftAuthenticator, sent_mail: SentMail) -> None:
    assert [mail.subject for mail in sent_mail()] == [
        "A passkey was added to your account at Scalable Shop"
    ]
    client = Client()
    response = client.get("/accounts/login/?next=/purchases/")
    answer = passkey.sign(options(client, LOGIN))
    response = client.post(LOGIN, {"credential": answer, "next": "/purchases/"})
    assert response["Location"] == "/purchases/"
    assert client.get("/api/v1/accounts/me/").json()["mfa"] is True
    # The challenge is used up, in this session and in others.
    other = Client()
    other.cookies["sessionid"] = "x"
    for again in (Client(), client, other):
        again.post(LOGIN, {"credential": answer})
    assert not signed_in(other)


def test_after_a_password_the_passkey_is_asked_for(passkey: SoftAuthenticator) -> None:
    client = Client()
    assert by_password(client)["Location"] == SECOND
    assert not signed_in(client)
    # Whoever has given the password only reaches nothing.
    assert client.get("/accounts/2fa/")["Location"].startswith("/accounts/login/")
    assert client.get(SECOND).status_code == 200
    assert use(client, passkey, SECOND).status_code == 302
    assert signed_in(client)


def test_without_verification_of_the_user_nobody_gets_in(passkey: SoftAuthenticator) -> None:
    passkey.verified = False
    # Whatever ceremony the session began with: as a second factor, or to sign in.
    for begun, sent in ((LOGIN, LOGIN), (SECOND, SECOND), (SECOND, LOGIN), (LOGIN, SECOND)):
        client = Client()
        by_password(client)
        client.post(sent, {"credential": passkey.sign(options(client, begun))})
        assert not signed_in(client), (begun, sent)
    # An answer to one ceremony is none to another, even with verification.
    passkey.verified = True
    for begun, sent in ((SECOND, LOGIN), (LOGIN, SECOND)):
        client = Client()
        by_password(client)
        client.post(sent, {"credential": passkey.sign(options(client, begun))})
        assert not signed_in(client), (begun, sent)
    # Nor is a passkey made without it.
    client = Client()
    by_password(client)
    use(client, passkey, SECOND)
    unverified = SoftAuthenticator(origin())
    unverified.verified = False
    add(client, unverified)
    assert Authenticator.objects.filter(type="webauthn").count() == 1


def test_what_a_false_site_or_a_copy_would_send_is_refused(passkey: SoftAuthenticator) -> None:
    client = Client()
    port = settings.SITE_URL.rpartition(":")[2]
    for false in ("https://evil.example", f"http://shop.localhost:{port}", "http://localhost:1"):
        passkey.origin = false
        use(client, passkey)
        assert not signed_in(client), false
    passkey.origin = origin()
    stranger = User.objects.create_user("stranger", password=PASSWORD)
    for handle in (b"", b"x", b"\xff", str(stranger.pk).encode(), b"9" * 30, b"-1"):
        use(client, passkey, handle=handle)
        assert not signed_in(client), handle
    passkey.count = 7
    use(client, passkey)
    assert signed_in(client)
    for smaller in (7, 3, 0):
        client, passkey.count = Client(), smaller
        use(client, passkey)
        assert not signed_in(client), smaller


def test_an_address_begins_only_so_many_sign_ins(db: Any) -> None:
    answers = [Client().get(f"{LOGIN}?options").status_code for _ in range(61)]
    assert answers == [200] * 60 + [429]


def test_any_answer_is_refused_without_an_error(passkey: SoftAuthenticator) -> None:
    good = json.loads(passkey.sign({"publicKey": {"challenge": "AAAA", "rpId": "localhost"}}))
    parts = good["response"]
    malformed: list[Any] = ["", "AA", "////", None, 7, {}, "e30", "gYGBgYGBgYE"]
    awkward = [
        "",
        "x",
        "[]",
        "{}",
        "null",
        '{"id":1}',
        "[" * 5000,
        json.dumps(good | {"rawId": None}),
        json.dumps(good | {"rawId": "é"}),
        json.dumps(good | {"rawId": 5, "type": []}),
        json.dumps(good | {"response": "x"}),
        *(
            json.dumps(good | {"response": parts | {name: bad}})
            for name in parts
            for bad in malformed
        ),
    ]
    client = Client()
    for answer in awkward:
        cache.clear()
        options(client, LOGIN)
        assert client.post(LOGIN, {"credential": answer}).status_code == 302, answer
    assert not signed_in(client)
    use(client, passkey)
    for answer in awkward:
        options(client, ADD)
        assert client.post(ADD, {"name": "x", "credential": answer}).status_code == 200, answer
    assert Authenticator.objects.filter(type="webauthn").count() == 1


def test_a_passkey_confirms_who_it_is_and_is_renamed_and_removed(
    passkey: SoftAuthenticator, owner: User
) -> None:
    client = Client()
    use(client, passkey)
    pk = Authenticator.objects.get(type="webauthn").pk
    rename, remove = (f"/accounts/2fa/passkeys/{pk}/{what}/" for what in ("rename", "remove"))
    assert client.post(rename, {"name": "blue key"}).status_code == 302
    assert "blue key" in client.get("/accounts/2fa/").content.decode()
    # What is somebody else's is not there.
    stranger = Client()
    stranger.force_login(User.objects.create_user("stranger", password=PASSWORD))
    stranger.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert stranger.post(remove).status_code == 404
    assert stranger.post(rename, {"name": "mine"}).status_code == 404
    # Some time later it has to be confirmed, and the passkey does that.
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] -= 400
    session.save()
    assert client.post(remove)["Location"].startswith("/accounts/reauthenticate/")
    assert client.get(f"{CONFIRM}?next=/accounts/2fa/").status_code == 200
    answer = passkey.sign(options(client, CONFIRM))
    confirmed = client.post(CONFIRM, {"credential": answer, "next": "/accounts/2fa/"})
    assert confirmed["Location"] == "/accounts/2fa/"
    # It is the last way in, until there is a password again.
    password = owner.password
    EmailAddress.objects.all().delete()
    User.objects.filter(pk=owner.pk).update(password="!")
    client.force_login(User.objects.get(pk=owner.pk))
    session = client.session
    session["account_authentication_methods"] = [{"method": "mfa", "at": 9e12}]
    session.save()
    use(fresh := Client(), passkey)
    assert "last way to sign in" in fresh.post(remove, follow=True).content.decode()
    assert Authenticator.objects.filter(pk=pk).exists()
    User.objects.filter(pk=owner.pk).update(password=password)
    use(fresh := Client(), passkey)
    fresh.post(remove)
    assert not Authenticator.objects.exists(), "recovery codes alone are no factor"
    assert fresh.get("/api/v1/accounts/me/").json()["mfa"] is False
    entries = Waiting.objects.filter(action__startswith="factor.").order_by("id")
    assert [entry.action for entry in entries] == [
        "factor.added",
        "factor.renamed",
        "factor.removed",
    ]


def test_passkeys_are_for_the_site_url_and_not_for_the_host(
    passkey: SoftAuthenticator, settings: Any
) -> None:
    made = Client(HTTP_HOST="127.0.0.1").get(f"{LOGIN}?options").json()
    assert made["publicKey"]["rpId"] == "localhost"
    for address, site in (
        ("https://shop.example.com:8443", "shop.example.com"),
        ("https://203.0.113.5", ""),
        ("https://[2001:db8::1]", ""),
        ("http://shop.example.com", ""),
    ):
        settings.SITE_URL = address
        assert relying_party_id() == site
        assert bool(passkeys_need_a_name(None)) is (site == "")
    assert Client().get(f"{LOGIN}?options").status_code == 404
    assert "passkey" not in Client().get("/accounts/login/").content.decode().lower()


@pytest.mark.django_db(transaction=True)
def test_of_two_ways_removed_at_once_one_stays() -> None:
    user = User.objects.create_user("keys-only")
    request = RequestFactory().get("/")
    keys = [
        Authenticator.objects.create(user=user, type="webauthn", data={"name": "", "id": str(n)}).pk
        for n in range(8)
    ]

    def remove(pk: int) -> bool:
        try:
            with request_context(request):
                passkey_remove(request=request, user=User.objects.get(pk=user.pk), pk=pk)
        except LastWayIn:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(remove, keys)) == 7
    assert Authenticator.objects.filter(user=user).count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_answer_signs_in_once_among_many_at_once() -> None:
    user = User.objects.create_user("alice", password=PASSWORD)
    client, passkey = Client(), SoftAuthenticator(origin())
    by_password(client)
    add(client, passkey)
    begun = Client()
    answer = passkey.sign(options(begun, LOGIN))

    def send(_: int) -> str:
        try:
            again = Client()
            again.cookies = begun.cookies
            # Whoever comes after the winner finds the session gone, or the answer used.
            sent = again.post(LOGIN, {"credential": answer})
            return "in" if sent.get("Location") == "/" else "refused"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        places = list(pool.map(send, range(8)))
    assert places.count("in") == 1, places
    assert Authenticator.objects.get(user=user, type="webauthn").last_used_at is not None
