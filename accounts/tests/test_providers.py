"""Signing in with a provider, which is a real one: see ``tests/identity.py``."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.db import connection
from django.test import Client

from accounts.models import User
from accounts.tests.conftest import SITE, SentMail
from accounts.tests.provider_visits import (
    CALLBACK,
    begin,
    came_back,
    signed_in,
    signed_up,
)
from tests.identity import IdentityProvider

pytestmark = pytest.mark.django_db


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
