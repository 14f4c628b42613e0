"""Signing in with a provider, which is a real one: see ``tests/identity.py``."""

import base64
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.db import connection
from django.test import Client

from accounts.models import User
from accounts.providers import discovery, outgoing
from accounts.tests.conftest import PASSWORD, SentMail
from shop.core import identity
from tests.identity import CLIENT_ID, CLIENT_SECRET, IdentityProvider, providing
from tests.system import free_port

pytestmark = pytest.mark.django_db

SITE = "http://testserver"
CALLBACK = "/accounts/oidc/{}/login/callback/"


@pytest.fixture(scope="module")
def running() -> Iterator[IdentityProvider]:
    names = ("example", "other")
    with providing(redirects=[SITE + CALLBACK.format(name) for name in names]) as provider:
        yield provider


@pytest.fixture
def provider(running: IdentityProvider, settings: Any) -> IdentityProvider:
    """The provider, which the shop knows by two names."""
    settings.SITE_URL = SITE
    settings.IDENTITY_PROVIDERS = [
        identity.IdentityProvider(
            id=name,
            label=name.title(),
            issuer=running.url,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            origins=(running.url,),
        )
        for name in ("example", "other")
    ]
    settings.SOCIALACCOUNT_PROVIDERS = identity.allauth_settings(settings.IDENTITY_PROVIDERS)
    discovery.forget()
    running.reset()
    return running


def begin(client: Client, name: str = "example", **form: str) -> str:
    """Press the button. Return where it leads."""
    answer = client.post(f"/accounts/oidc/{name}/login/", form)
    assert answer.status_code == 302, answer.content
    return str(answer["Location"])


def came_back(provider: IdentityProvider, client: Client, location: str) -> Any:
    """Follow to the provider and back."""
    return client.get(provider.authorize(location).removeprefix(SITE))


def signed_in(client: Client) -> str:
    """Return the name of who is signed in."""
    answer = client.get("/accounts/")
    if answer.status_code != 200:
        return ""
    found = re.search(r"<dt>Username</dt><dd><bdi>(.*?)</bdi>", answer.content.decode())
    assert found is not None
    return found[1]


def signed_up(provider: IdentityProvider, sub: str, name: str, **claims: Any) -> Client:
    client = Client()
    provider.person(sub, **claims)
    assert came_back(provider, client, begin(client))["Location"] == "/accounts/3rdparty/signup/"
    form = {"username": name, "email": claims.get("email", "")}
    answer = client.post("/accounts/3rdparty/signup/", form)
    assert answer.status_code == 302, answer.content
    assert signed_in(client) == name
    return client


def with_password(name: str) -> Client:
    client = Client()
    form = {"login": name, "password": PASSWORD}
    assert client.post("/accounts/login/", form).status_code == 302
    return client


def test_a_new_person_chooses_a_name_and_nothing_else_is_kept(
    provider: IdentityProvider, sent_mail: SentMail
) -> None:
    claims = {
        "email": "Ann@Example.com",
        "email_verified": True,
        "name": "Ann Example",
        "preferred_username": "ann",
    }
    provider.person("number-1", **claims)
    client = Client()
    location = begin(client)
    query = parse_qs(urlsplit(location).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["nonce"]
    came_back(provider, client, location)
    page = client.get("/accounts/3rdparty/signup/").content.decode()
    assert 'value="ann"' in page
    assert "Example knows you" in page
    assert re.search(r'value="ann@example.com"[^>]*readonly', page)
    # Another address than the proved one is not taken, whatever the browser sends.
    form = {"username": "ann", "email": "other@example.com"}
    assert client.post("/accounts/3rdparty/signup/", form).status_code == 302
    user = User.objects.get(username="ann")
    assert (user.email, user.has_usable_password()) == ("ann@example.com", False)
    address = EmailAddress.objects.get(user=user)
    assert (address.email, address.verified, address.primary) == ("ann@example.com", True, True)
    [link] = SocialAccount.objects.all()
    assert link.extra_data == {"sub": "number-1", "iss": provider.url}
    assert not SocialToken.objects.exists()
    # No mail asks for what the provider has said.
    assert sent_mail() == []
    again = Client()
    assert came_back(provider, again, begin(again, next="/purchases/"))["Location"] == "/purchases/"
    assert signed_in(again) == "ann"
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("verified", "counts"),
    [(True, True), ("true", True)]
    + [(value, False) for value in (False, None, "", "false", "True", "1", 0, 1, [True], {"a": 1})],
)
def test_a_providers_address_counts_only_if_it_says_true(
    provider: IdentityProvider, alice: User, verified: Any, counts: bool
) -> None:
    EmailAddress.objects.create(user=alice, email="joe@example.com", verified=False)
    provider.person("number-1", email="joe@example.com", email_verified=verified)
    client = Client()
    came_back(provider, client, begin(client))
    # No account is found by it in either case.
    assert signed_in(client) == ""
    page = client.get("/accounts/3rdparty/signup/").content.decode()
    assert ("readonly" in page) is counts
    form = {"username": "joe", "email": "joe@example.com"}
    assert client.post("/accounts/3rdparty/signup/", form).status_code == 302
    found = EmailAddress.objects.filter(user__username="joe").get()
    assert found.verified is counts
    assert EmailAddress.objects.filter(user=alice).exists() is not counts


def test_an_address_that_an_account_has_proved_stays_with_it(
    provider: IdentityProvider, alice: User
) -> None:
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    provider.person("number-1", email=alice.email, email_verified=True)
    client = Client()
    came_back(provider, client, begin(client))
    form = {"username": "second", "email": alice.email}
    answer = client.post("/accounts/3rdparty/signup/", form)
    assert "already exists" in answer.content.decode()
    assert User.objects.count() == 1
    assert signed_in(client) == ""


def test_a_state_is_good_once_in_its_browser_for_its_provider(
    provider: IdentityProvider, alice: User
) -> None:
    provider.person("number-1", email="a@example.com", email_verified=True)
    SocialAccount.objects.create(user=alice, provider="example", uid="number-1")
    SocialAccount.objects.create(user=alice, provider="other", uid="number-1")
    mine, stranger = Client(), Client()

    def refused(client: Client, back: str) -> None:
        tokens = provider.asked.count("/identity/o/api/token")
        answer = client.get(back)
        assert answer.status_code == 400
        assert "was begun elsewhere" in answer.content.decode()
        assert provider.asked.count("/identity/o/api/token") == tokens
        assert signed_in(client) == ""

    back = provider.authorize(begin(mine)).removeprefix(SITE)
    refused(stranger, back)
    begin(stranger)
    refused(stranger, back)
    refused(mine, back.replace("/example/", "/other/"))
    refused(mine, re.sub("state=[^&]*", "state=", back))
    refused(mine, re.sub("state=[^&]*", "state=%27%22", back))
    # It is still good for whom it was made.
    assert mine.get(back).status_code == 302
    assert signed_in(mine) == "alice"
    Client.logout(mine)
    refused(mine, back)
    old = Client()
    back = provider.authorize(begin(old)).removeprefix(SITE)
    session = old.session
    for state in session["socialaccount_states"].values():
        state[1] -= 601
    session.save()
    refused(old, back)


def test_two_tabs_both_finish(provider: IdentityProvider, alice: User) -> None:
    provider.person("number-1", email="a@example.com", email_verified=True)
    SocialAccount.objects.create(user=alice, provider="example", uid="number-1")
    client = Client()
    first, second = begin(client, next="/purchases/"), begin(client, next="/live/")
    assert came_back(provider, client, second)["Location"] == "/live/"
    assert signed_in(client) == "alice"
    assert came_back(provider, client, first)["Location"] == "/purchases/"
    assert signed_in(client) == "alice"


@pytest.mark.django_db(transaction=True)
def test_of_many_answers_with_one_state_one_counts(provider: IdentityProvider) -> None:
    provider.person("number-1", email="a@example.com", email_verified=True)
    client = Client()
    back = provider.authorize(begin(client)).removeprefix(SITE)

    def answer(_: int) -> int:
        tab = Client()
        tab.cookies.update(client.cookies)
        try:
            return int(tab.get(back).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(answer, range(24)))
    assert statuses == [302] + [400] * 23
    assert provider.asked.count("/identity/o/api/token") == 1


def test_who_cancels_is_told_and_nothing_happens(provider: IdentityProvider) -> None:
    client = Client()
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    answer = client.get(
        CALLBACK.format("example") + f"?error=access_denied&state={state}", follow=True
    )
    assert answer.redirect_chain == [("/accounts/login/", 302)]
    assert "You did not sign in with Example." in answer.content.decode()


def unsigned(payload: dict[str, Any]) -> str:
    parts = [{"alg": "none"}, payload]
    return (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
            for part in parts
        )
        + "."
    )


def test_outages_and_nonsense_have_a_clear_page_and_change_nothing(
    provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = IdentityProvider(f"http://127.0.0.1:{free_port()}").url
    now = int(time.time())
    whole = {"iss": provider.url, "aud": CLIENT_ID, "sub": "1", "iat": now, "exp": now + 60}
    by_secret = jwt.encode(whole, CLIENT_SECRET * 2, algorithm="HS256")

    def token(id_token: Any) -> str:
        return json.dumps({"access_token": "a", "token_type": "Bearer", "id_token": id_token})

    token_at, keys_at = "/o/api/token", "/jwks.json"
    faults: list[tuple[str, dict[str, Any], int]] = [
        (token_at, {"status": 500}, 503),
        (token_at, {"seconds": 2}, 503),
        (token_at, {"status": 400, "body": '{"error": "invalid_grant"}'}, 400),
        (token_at, {"status": 302, "location": f"{elsewhere}/token"}, 400),
        (token_at, {"body": "<html>"}, 400),
        (token_at, {"body": "[]"}, 400),
        (token_at, {"body": '"access_token"'}, 400),
        (token_at, {"body": "[" * 20_000}, 400),
        (token_at, {"body": " " * 300_000}, 400),
        (token_at, {"body": '{"access_token": "a", "expires_in": "soon"}'}, 400),
        (token_at, {"body": token(None)}, 400),
        (token_at, {"body": token(7)}, 400),
        (token_at, {"body": token("a.b.c")}, 400),
        (token_at, {"body": token(unsigned(whole))}, 400),
        (token_at, {"body": token(by_secret)}, 400),
        (keys_at, {"status": 500}, 503),
        (keys_at, {"body": '{"keys": [{"kid": 1}, 7]}'}, 400),
        (keys_at, {"body": "{}"}, 400),
    ]
    for path, answer, status in faults:
        discovery.forget()
        provider.person("number-1", email="a@example.com", email_verified=True)
        client = Client()
        location = begin(client)
        monkeypatch.setattr(outgoing, "SECONDS", 1 if "seconds" in answer else 20)
        provider.fail(path, **answer)
        page = came_back(provider, client, location)
        provider.fail()
        assert page.status_code == status, (path, answer, page.content)
        assert ("Retry-After" in page) is (status == 503)
        assert "You are not signed in with Example" in page.content.decode()
        assert client.get("/accounts/3rdparty/signup/").status_code == 302
    bad_claims: list[dict[str, Any]] = [
        {"nonce": "other"},
        {"nonce": None},
        {"aud": "other"},
        {"aud": ["other"]},
        {"azp": "other"},
        {"iss": "https://evil.example"},
        {"exp": now - 3600},
        {"exp": None},
        {"exp": "soon"},
        {"iat": now + 3600},
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
        {"sub": "x" * 192},
        {"sub": "a\0b"},
    ]
    discovery.forget()
    for claims in bad_claims:
        provider.person("number-1", email="a@example.com", email_verified=True, **claims)
        client = Client()
        page = came_back(provider, client, begin(client))
        assert page.status_code == 400, claims
        assert client.get("/accounts/3rdparty/signup/").status_code == 302
    # An address that is none does not stop the sign-up, which asks for one.
    for email in (7, "", "a@localhost", "a" * 300 + "@example.com", ["a@example.com"], "a@b\0.com"):
        provider.person("number-1", email=email, email_verified=True)
        client = Client()
        assert came_back(provider, client, begin(client)).status_code == 302
        assert "readonly" not in client.get("/accounts/3rdparty/signup/").content.decode()
    assert not User.objects.exists()
    assert not SocialAccount.objects.exists()


def test_a_provider_that_hangs_does_not_take_all_threads(
    provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(outgoing.AT_ONCE):
        outgoing._places.acquire()
    try:
        answer = Client().post("/accounts/oidc/example/login/")
    finally:
        for _ in range(outgoing.AT_ONCE):
            outgoing._places.release()
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert "Too many people" in answer.content.decode()
    # That says nothing of the provider, so it is not remembered.
    begin(Client())


def test_a_provider_that_is_away_is_told_at_once_and_asked_again_soon(
    provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "SECONDS", 2)
    document = json.dumps({"issuer": "https://evil.example"})
    for fault, status in (({"status": 503}, 503), ({"seconds": 3}, 503), ({"body": document}, 400)):
        discovery.forget()
        provider.fail("openid-configuration", **fault)
        for _ in range(3):
            answer = Client().post("/accounts/oidc/example/login/")
            assert answer.status_code == status
    assert provider.asked.count("/.well-known/openid-configuration") == 3
    provider.fail()
    monkeypatch.setattr(discovery, "FAILURE_SECONDS", 0)
    begin(Client())


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:{}/token",
        "https://127.0.0.1:{}/token",
        "https://localhost:{}/token",
        "https://[::1]:{}/token",
        "https://[::ffff:10.0.0.1]/token",
        "https://0x7f.1:{}/token",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/token",
        "file:///etc/passwd",
        "ftp://example.com/",
        "https://",
        "//x",
        "",
        7,
        None,
    ],
)
def test_a_provider_does_not_send_the_shop_to_inside_addresses(
    provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch, place: Any
) -> None:
    def dial(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a connection was tried")

    place = place.format(free_port()) if isinstance(place, str) else place
    document = {
        "issuer": provider.url,
        "authorization_endpoint": f"{provider.url}/identity/o/authorize",
        "token_endpoint": place,
        "jwks_uri": f"{provider.url}/jwks",
    }
    provider.fail("openid-configuration", body=json.dumps(document))
    client = Client()
    answer = client.post("/accounts/oidc/example/login/")
    if answer.status_code == 302:
        state = parse_qs(urlsplit(answer["Location"]).query)["state"][0]
        monkeypatch.setattr("urllib3.connection.HTTPConnection.connect", dial)
        monkeypatch.setattr("urllib3.connection.HTTPSConnection.connect", dial)
        answer = client.get(CALLBACK.format("example") + f"?code=c&state={state}")
    assert answer.status_code in (400, 503)


def test_a_link_is_made_and_ended_by_who_has_just_signed_in(
    provider: IdentityProvider, alice: User, sent_mail: SentMail
) -> None:
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    provider.person("number-1", email="a@example.com", email_verified=True)
    client = with_password("alice")
    answer = came_back(provider, client, begin(client, process="connect"))
    assert answer["Location"] == "/accounts/3rdparty/"
    page = client.get("/accounts/3rdparty/").content.decode()
    assert "signs you in from now on" in page
    link = SocialAccount.objects.get()
    assert link.user == alice
    # The account's own addresses are not touched.
    assert list(EmailAddress.objects.values_list("email")) == [(alice.email,)]
    other = Client()
    came_back(provider, other, begin(other))
    assert signed_in(other) == "alice"
    # Somebody else's link cannot be taken over, nor ended.
    User.objects.create_user("bob", "bob@example.com", PASSWORD)
    bob = with_password("bob")
    came_back(provider, bob, begin(bob, process="connect"))
    assert "connected to another account" in bob.get("/accounts/3rdparty/").content.decode()
    bob.post("/accounts/3rdparty/", {"account": link.pk})
    for id in ("", "x", "9" * 30, "-1", "٣"):
        client.post("/accounts/3rdparty/", {"account": id})
    assert SocialAccount.objects.get().user == alice
    session = client.session
    session["account_authentication_methods"][-1]["at"] -= 301
    session.save()
    assert "reauthenticate" in client.post("/accounts/3rdparty/", {"account": link.pk})["Location"]
    assert SocialAccount.objects.exists()
    client = with_password("alice")
    client.post("/accounts/3rdparty/", {"account": link.pk})
    assert not SocialAccount.objects.exists()
    subjects = [mail.subject for mail in sent_mail()]
    assert any("Example signs you in" in subject for subject in subjects)
    assert any("Example no longer signs you in" in subject for subject in subjects)


def test_the_last_way_in_stays(provider: IdentityProvider) -> None:
    client = signed_up(provider, "number-1", "ann", email="ann@example.com", email_verified=False)
    EmailAddress.objects.all().delete()
    link = SocialAccount.objects.get()
    page = client.post("/accounts/3rdparty/", {"account": link.pk}, follow=True)
    assert "only way into your account" in page.content.decode()
    assert SocialAccount.objects.exists()
    # With a verified address a code signs in.
    user = User.objects.get()
    address = EmailAddress.objects.create(
        user=user, email="ann@example.com", verified=True, primary=True
    )
    client.post("/accounts/3rdparty/", {"account": link.pk})
    assert not SocialAccount.objects.exists()
    # Then that address is the last way.
    client.post("/accounts/email/", {"action_remove": "", "email": address.email})
    assert EmailAddress.objects.filter(pk=address.pk).exists()


def test_only_pages_with_their_buttons_lead_to_providers(
    provider: IdentityProvider, alice: User, settings: Any
) -> None:
    def leads(client: Client, path: str) -> str:
        policy = client.get(path)["Content-Security-Policy"]
        found = re.search("form-action ([^;]*)", policy)
        assert found is not None
        return found[1]

    guest, member = Client(), with_password("alice")
    with_buttons = [(guest, "/accounts/login/"), (member, "/accounts/3rdparty/")]
    for client, path in with_buttons:
        assert leads(client, path) == f"'self' {provider.url}"
        assert b"/accounts/oidc/example/login/" in client.get(path).content
    for path in ("/", "/accounts/signup/", "/accounts/login/code/", "/accounts/password/reset/"):
        assert leads(guest, path) == "'self'"
    settings.IDENTITY_PROVIDERS = []
    for client, path in with_buttons:
        assert leads(client, path) == "'self'"


def test_a_closed_account_stays_closed(provider: IdentityProvider) -> None:
    signed_up(provider, "number-1", "ann", email="ann@example.com", email_verified=True)
    User.objects.update(is_active=False)
    client = Client()
    answer = came_back(provider, client, begin(client))
    assert answer["Location"] == "/accounts/inactive/"
    assert signed_in(client) == ""


def test_a_second_factor_is_asked_for_after_a_provider(provider: IdentityProvider) -> None:
    signed_up(provider, "number-1", "ann", email="ann@example.com", email_verified=True)
    user = User.objects.get()
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "s"})
    client = Client()
    answer = came_back(provider, client, begin(client))
    assert answer["Location"] == "/accounts/2fa/authenticate/"
    assert signed_in(client) == ""


def test_nobody_else_gets_into_the_account_that_a_proof_makes(provider: IdentityProvider) -> None:
    """Mallory has signed up with Ann's address before, and waits."""
    form = {"username": "mallory", "email": "ann@example.com", "password": PASSWORD}
    made = Client().post("/api/v1/accounts/", form, content_type="application/json")
    assert made.status_code == 201
    mallory = with_password("mallory")
    ann = signed_up(provider, "number-1", "ann", email="ann@example.com", email_verified=True)
    assert signed_in(ann) == "ann"
    assert signed_in(mallory) == "mallory"
    assert User.objects.get(username="mallory").email == ""
    assert EmailAddress.objects.get().user.username == "ann"
    answer = Client().post("/accounts/login/", {"login": "ann@example.com", "password": PASSWORD})
    assert answer.status_code == 200


def test_two_browsers_that_sign_up_the_same_person_make_one_account(
    provider: IdentityProvider,
) -> None:
    provider.person("number-1", email="ann@example.com", email_verified=True)
    first, second = Client(), Client()
    for client in (first, second):
        came_back(provider, client, begin(client))
    form = {"username": "ann", "email": "ann@example.com"}
    assert first.post("/accounts/3rdparty/signup/", form).status_code == 302
    EmailAddress.objects.all().delete()
    answer = second.post("/accounts/3rdparty/signup/", form | {"username": "anna"}, follow=True)
    assert "You have an account by now" in answer.content.decode()
    assert User.objects.count() == 1
