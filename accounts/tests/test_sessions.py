"""What is signed in, how young a sign-in has to be, and how credentials end."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from accounts.models import BrowserSession, LiveTicket, OutgoingMail, Place, Token, TokenKind, User
from accounts.rules import RECENT, requires
from accounts.sessions.ending import end_credentials
from accounts.sessions.places import DAILY_MAILS
from accounts.tasks import purge
from accounts.tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
ME = "/api/v1/accounts/me/"
LIST = "/api/v1/sessions/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"


def signed_in(name: str = "alice", **headers: str) -> Client:
    """Return a browser that has signed in on the page."""
    client = Client(headers=headers)
    answer = client.post("/accounts/login/", {"login": name, "password": PASSWORD})
    assert answer.status_code == 302, answer.content
    return client


def age(client: Client, seconds: int) -> None:
    """Make the sign-in of a session so much older."""
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] -= seconds
    session.save()


class _Recent(APIView):
    required = {"GET": RECENT}

    def get(self, request: Request) -> Response:
        return Response("done")


@requires(GET=RECENT, POST=RECENT)
def _page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("done")


def _ask(client: Client, method: str = "GET") -> tuple[Any, Any]:
    """Return the answers of a route and of a page that ask for a recent sign-in."""
    answers = []
    for view, factory in ((_Recent.as_view(), APIRequestFactory()), (_page, RequestFactory())):
        body = {"data": "name=x", "content_type": "application/x-www-form-urlencoded"}
        sent: Any = body if method == "POST" else {}
        request: Any = factory.generic(method, "/somewhere/", **sent)
        request.session = client.session
        request.user = User.objects.get(pk=client.session["_auth_user_id"])
        answers.append(view(request))
    return answers[0], answers[1]


def test_what_needs_a_recent_sign_in_takes_one_of_the_last_five_minutes(
    alice: User, sign_in: Any
) -> None:
    client = signed_in()
    assert [answer.status_code for answer in _ask(client)] == [200, 200]
    age(client, 299)
    assert [answer.status_code for answer in _ask(client)] == [200, 200]
    age(client, 2)
    route, page = _ask(client)
    assert (route.status_code, route.data["errors"][0]["code"]) == (
        403,
        "reauthentication_required",
    )
    assert page.headers["Location"] == "/accounts/reauthenticate/?next=/somewhere/"
    # A form comes back with what was typed.
    assert _ask(client, "POST")[1].headers["Location"].endswith("?next=/somewhere/%3Fname%3Dx")

    answer = client.post(page.headers["Location"], {"password": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/somewhere/")
    assert [answer.status_code for answer in _ask(client)] == [200, 200]
    # An account without a password, as after a sign-in by a provider, is not always recent.
    age(client, 301)
    session = client.session
    User.objects.filter(pk=alice.pk).update(password="!")
    session["_auth_user_hash"] = User.objects.get(pk=alice.pk).get_session_auth_hash()
    session.save()
    assert [answer.status_code for answer in _ask(client)] == [403, 302]
    # A sign-in that is ahead of the clock proves nothing.
    age(client, -10_000)
    assert [answer.status_code for answer in _ask(client)] == [403, 302]


def test_no_token_is_a_recent_sign_in(alice: User) -> None:
    token = Token.objects.create(alice)[1]
    request = APIRequestFactory().get("/", headers={"Authorization": f"Token {token}"})
    request.session = signed_in().session
    answer = _Recent.as_view()(request)
    assert (answer.status_code, answer.data["errors"][0]["code"]) == (
        403,
        "reauthentication_required",
    )


def test_all_credentials_end_but_the_session_that_is_kept(alice: User, sign_in: Any) -> None:
    bob = User.objects.create_user("bob", "bob@example.com", PASSWORD)
    kept, other, bobs = signed_in(), signed_in(), signed_in("bob")
    tokens = [sign_in(), sign_in("bob")]
    with transaction.atomic():
        ended = end_credentials(alice, keep_session=kept.session.session_key or "", reason="test")
    assert ended.token == 1
    assert [client.get(ME).status_code for client in (kept, other, bobs)] == [200, 401, 200]
    assert [kept.get(ME, headers=each).status_code for each in tokens] == [401, 200]
    with transaction.atomic():
        end_credentials(bob, keep_session=kept.session.session_key or "", reason="test")
    # A session of somebody else is not taken over.
    assert [client.get(ME).status_code for client in (kept, bobs)] == [200, 401]
    assert kept.get(ME).status_code == 200


def test_a_session_from_before_there_were_salts_goes_on(alice: User) -> None:
    client = signed_in()
    digest = client.session["_auth_user_hash"]
    assert alice.session_salt == ""
    # Django's own digest, which the version before compares.
    salt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"
    assert digest == salted_hmac(salt, alice.password, algorithm="sha256").hexdigest()


def listed(client: Client, **arguments: Any) -> dict[str, dict[str, Any]]:
    """Return what is signed in, by kind and name."""
    answer = client.get(LIST, **arguments)
    assert answer.status_code == 200, answer.content
    # Tokens have no names, so the beginning of their text stands for one.
    names = [each["name"] for each in answer.json() if each["kind"] == "token"]
    assert all(re.fullmatch(r".{4}…", name) for name in names)
    return {
        each["kind"] if each["kind"] == "token" else f"{each['kind']} {each['name']}": each
        for each in answer.json()
    }


def test_what_is_signed_in_is_listed(alice: User, sign_in: Any) -> None:
    User.objects.create_user("bob", "b@example.com", PASSWORD)
    signed_in("bob")
    phone = signed_in(**{"user-agent": SAFARI})
    client = signed_in(**{"user-agent": FIREFOX})
    headers = sign_in()
    key, _ = Token.objects.create(user=alice, kind=TokenKind.KEY, name="a till", expiry=None)
    found = listed(client)
    assert set(found) == {
        "browser Firefox, Linux",
        "browser Safari, iPhone",
        "token",
        "key a till",
    }
    own = found["browser Firefox, Linux"]
    expected = {"current": True, "methods": ["password"], "address": "127.0.0.1", "agent": FIREFOX}
    assert own == {**own, **expected}
    assert own["last_used_at"] >= own["created_at"] < own["expires_at"]
    assert [each["current"] for each in found.values()].count(True) == 1
    assert found["key a till"]["id"] == str(key.id)
    for browser in (client, phone):
        assert str(browser.session.session_key) not in str(found)
    # A token sees the same, and itself as the present one.
    others = listed(Client(), headers=headers)
    assert others["token"]["methods"] == ["password"]
    assert set(others) == set(found)
    assert [name for name, each in others.items() if each["current"]] == ["token"]
    # A password from elsewhere ends the sessions, and so they are not listed.
    alice.set_password("another-lamp-43")
    alice.save()
    assert Client().get(LIST, headers=headers).status_code == 401
    again = Client()
    again.post("/accounts/login/", {"login": "alice", "password": "another-lamp-43"})
    assert [each["current"] for each in listed(again).values()].count(True) == 1
    # A key goes on, because programs use it.
    assert set(listed(again)) == {"browser Unknown browser", "key a till"}


def test_one_of_them_can_be_ended_by_its_owner_alone(alice: User, sign_in: Any) -> None:
    User.objects.create_user("bob", "bob@example.com", PASSWORD)
    client, phone, bobs = signed_in(), signed_in(**{"user-agent": SAFARI}), signed_in("bob")
    headers = sign_in()
    found = listed(client)
    ids = [found[name]["id"] for name in ("browser Safari, iPhone", "token")]
    for id in (*ids, uuid.uuid4()):
        assert bobs.delete(f"{LIST}{id}/").status_code == 404
    LiveTicket.objects.create(
        digest=b"1" * 32,
        user=alice,
        session_key=str(phone.session.session_key),
        expires_at=timezone.now() + timedelta(seconds=30),
    )
    assert [client.delete(f"{LIST}{id}/").status_code for id in ids] == [204, 204]
    assert [client.delete(f"{LIST}{id}/").status_code for id in ids] == [404, 404]
    assert (phone.get(ME).status_code, client.get(ME, headers=headers).status_code) == (401, 401)
    assert not LiveTicket.objects.exists()
    assert (client.get(ME).status_code, bobs.get(ME).status_code) == (200, 200)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("by", ["session", "token"])
def test_all_can_be_ended(alice: User, sign_in: Any, keep: bool, by: str) -> None:
    client, other = signed_in(), signed_in()
    headers, spare = sign_in(), sign_in()
    Token.objects.create(user=alice, kind=TokenKind.JWT)
    key = Token.objects.create(user=alice, kind=TokenKind.KEY)[1]
    given: dict[str, Any] = {"headers": headers} if by == "token" else {}
    keys = not keep
    answer = (client if by == "session" else Client()).post(
        f"{LIST}end/",
        {"keep_current": keep, "keys": keys},
        content_type="application/json",
        **given,
    )
    kept_session, kept_token = keep and by == "session", keep and by == "token"
    assert answer.json() == {
        "browser": 2 - kept_session,
        "token": 2 - kept_token,
        "jwt": 1,
        "key": int(keys),
    }
    assert [client.get(ME).status_code, other.get(ME).status_code] == [
        200 if kept_session else 401,
        401,
    ]
    statuses = [
        Client().get(ME, headers={"authorization": each}).status_code
        for each in (headers["authorization"], spare["authorization"], f"Token {key}")
    ]
    assert statuses == [200 if kept_token else 401, 401, 401 if keys else 200]


def test_no_key_and_no_smaller_token_looks_at_credentials_or_ends_them(alice: User) -> None:
    client = signed_in()
    id = next(iter(listed(client).values()))["id"]
    for kind, permissions in (
        (TokenKind.KEY, -1),
        (TokenKind.KEY, 1),
        (TokenKind.SIGN_IN, 1),
        (TokenKind.JWT, 3),
    ):
        token = Token.objects.create(user=alice, kind=kind, permissions=permissions)[1]
        headers = {"authorization": f"Token {token}"}
        answers = [
            Client().get(LIST, headers=headers),
            Client().delete(f"{LIST}{id}/", headers=headers),
            Client().post(f"{LIST}end/", {}, content_type="application/json", headers=headers),
        ]
        for answer in answers:
            if kind is TokenKind.JWT:
                assert answer.status_code in (401, 403)
                continue
            assert answer.status_code == 403, (kind, answer.content)
            assert answer.json()["errors"][0]["code"] == "credential_kind"
            assert not answer.cookies
    assert client.get(ME).status_code == 200


def test_no_credential_of_a_program_opens_a_page_or_gets_a_session(
    alice: User, sign_in: Any
) -> None:
    key = Token.objects.create(user=alice, kind=TokenKind.KEY)[1]
    for headers in (sign_in(), {"authorization": f"Bearer {key}"}):
        for path in ("/accounts/", "/accounts/sessions/", "/accounts/email/", "/purchases/"):
            answer = Client().get(path, headers=headers)
            assert answer.status_code == 302, path
            assert "/accounts/login/" in answer.headers["Location"]
        for path in ("/accounts/reauthenticate/", "/accounts/password/change/"):
            answer = Client().post(path, {"password": PASSWORD}, headers=headers)
            assert answer.status_code in (302, 403)
    # The health check has a row of its own.
    assert not Session.objects.exclude(session_key="health").exists()


def test_the_use_of_a_session_is_written_once_a_minute(
    alice: User, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    client = signed_in(**{"user-agent": FIREFOX})
    before = BrowserSession.objects.values_list("last_used_at", "agent").get()
    assert before[1] == FIREFOX
    with django_assert_num_queries(3):
        client.get(ME, headers={"user-agent": SAFARI})
    assert BrowserSession.objects.values_list("last_used_at", "agent").get() == before
    monkeypatch.setattr("accounts.sessions.trace.SECONDS", 0.0)
    client.get(ME, headers={"user-agent": "x" * 1000}, REMOTE_ADDR="2001:db8::1")
    session = BrowserSession.objects.get()
    assert session.last_used_at >= before[0]
    assert (session.agent, session.address) == ("x" * 300, "2001:db8::1")
    # What is left of a session that has ended goes with the purge.
    client.logout()
    purge()
    assert not BrowserSession.objects.exists()


def test_the_page_ends_one_and_all_others(alice: User, sign_in: Any) -> None:
    client, phone = signed_in(**{"user-agent": FIREFOX}), signed_in(**{"user-agent": SAFARI})
    page = client.get("/accounts/sessions/").content.decode()
    assert "This browser" in page
    assert "Safari, iPhone" in page
    [id] = re.findall(r'name="session" value="([^"]+)"', page)
    assert client.post("/accounts/sessions/", {"session": "nonsense"}).status_code == 404
    answer = client.post("/accounts/sessions/", {"session": id}, follow=True)
    assert "The sign-in was ended." in answer.content.decode()
    assert phone.get(ME).status_code == 401
    answer = client.post("/accounts/sessions/", {"session": id}, follow=True)
    assert "had ended already" in answer.content.decode()
    Token.objects.create(user=alice, kind=TokenKind.KEY, name="a till")
    headers = sign_in()
    assert 'name="keys"' in client.get("/accounts/sessions/").content.decode()
    answer = client.post("/accounts/sessions/", follow=True)
    assert "1 other sign-in was ended." in answer.content.decode()
    assert Client().get(ME, headers=headers).status_code == 401
    answer = client.post("/accounts/sessions/", {"keys": "on"}, follow=True)
    assert "Nothing else is signed in" in answer.content.decode()


def test_a_sign_in_from_somewhere_new_is_told_and_not_often(alice: User, sign_in: Any) -> None:
    EmailAddress.objects.create(user=alice, email=alice.email, primary=True, verified=True)
    User.objects.filter(pk=alice.pk).update(language="de")
    mails = OutgoingMail.objects.filter(recipient=alice.email)
    signed_in(**{"user-agent": FIREFOX})
    signed_in(**{"user-agent": FIREFOX.replace("140", "141")})
    assert mails.count() == 0
    signed_in(**{"user-agent": SAFARI})
    mail = mails.get()
    assert "Safari, iPhone" in mail.body
    assert "/accounts/sessions/" in mail.body
    assert "Anmeldung" in mail.subject
    signed_in(**{"user-agent": SAFARI})
    assert mails.count() == 1
    # A token is a sign-in, too; and many new places are told of a few times.
    sign_in()
    assert mails.count() == 2
    for number in range(DAILY_MAILS + 2):
        client = Client(REMOTE_ADDR=f"198.51.{number}.7")
        client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert mails.count() == DAILY_MAILS
    assert Place.objects.count() == 3 + DAILY_MAILS + 2
    Place.objects.update(last_used_at=timezone.now() - timedelta(days=181))
    purge()
    assert not Place.objects.exists()


@pytest.mark.parametrize("path", ["/api/v1/auth/token/", "/api/v1/auth/jwt/"])
def test_a_sign_in_that_began_before_all_ended_is_not_finished_after_it(
    alice: User, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def meanwhile(user: User, *args: Any) -> str:
        with transaction.atomic():
            end_credentials(User.objects.get(pk=user.pk), reason="test")
        return ""

    part = "accounts.services" if "token" in path else "accounts.jwt.services"
    monkeypatch.setattr(f"{part}.check_code", meanwhile)
    body = {"username": "alice", "password": PASSWORD}
    answer = Client().post(path, body, content_type="application/json")
    assert answer.status_code == 401
    assert not Token.objects.filter(user=alice).exists()
    monkeypatch.undo()
    assert Client().post(path, body, content_type="application/json").status_code == 200
