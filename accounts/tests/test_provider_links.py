"""Links of accounts to providers: made, ended, and nobody else's."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from accounts.models import User
from accounts.tests.conftest import PASSWORD, SentMail
from accounts.tests.provider_visits import (
    begin,
    came_back,
    signed_in,
    signed_up,
    with_password,
)
from tests.identity import IdentityProvider

pytestmark = pytest.mark.django_db


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
