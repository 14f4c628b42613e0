"""Accounts that reach everybody's things, where that needs a second factor."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import connection
from django.test import Client

from accounts.authentication import Presented, tokens_look_up
from accounts.models import Token, User
from accounts.permissions import CLIENT, CUSTOMER, EFFECTIVE, EVERYBODYS, effective
from accounts.tests.conftest import PASSWORD
from accounts.tests.test_second_factor_codes import STEP, clock
from accounts.tests.test_second_factor_pages import ACTIVATE, code

__all__ = ["clock"]


@pytest.fixture
def required(settings: Any, monkeypatch: pytest.MonkeyPatch, db: Any) -> None:
    settings.SECOND_FACTOR_REQUIRED = True
    # The statements are made once, at the start.
    import accounts.authentication as module

    strict = module._CALLERS.replace(EFFECTIVE, effective(factor_required=True))
    monkeypatch.setattr(module, "_CALLERS", strict)


def account(name: str, **fields: Any) -> User:
    roles = fields.pop("roles", ())
    user = User(username=name, email=f"{name}@example.com", **fields)
    user.set_password(PASSWORD)
    user.give_roles(roles)
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def sign_in(name: str) -> tuple[Client, Any]:
    client = Client()
    return client, client.post("/accounts/login/", {"login": name, "password": PASSWORD})


def me(client: Client, **how: Any) -> set[str]:
    return set(client.get("/api/v1/accounts/me/", **how).json()["permissions"])


# The session that sets the factor up goes on from the commit.
@pytest.mark.django_db(transaction=True)
def test_without_a_factor_staff_are_led_to_set_one_up(required: None) -> None:
    staff = account("boss", is_staff=True)
    client, response = sign_in("boss")
    assert response["Location"] == "/accounts/2fa/"
    assert not any(each.endswith(("_all", ":admin")) for each in me(client))
    for path in ("/admin/", "/people/", "/dashboard/"):
        page = client.get(path, follow=True)
        assert page.redirect_chain[-1][0] == "/accounts/2fa/", path
    assert client.get("/purchases/").status_code == 200, "one's own"
    refused = client.get("/api/v1/accounts/")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (
        403,
        "second_factor_required",
    )
    # A token, and a key, that were made before reach as little.
    token = Token.objects.create(user=staff)[1]
    headers = {"authorization": f"Token {token}"}
    assert Client().get("/api/v1/accounts/", headers=headers).status_code == 403
    digest = Token.objects.get(user=staff).digest
    seen = tokens_look_up([Presented(digest, "10.0.0.1")])[Presented(digest, "10.0.0.1")]
    assert seen.caller.permissions & EVERYBODYS == 0
    assert seen.caller.permissions == User.objects.get(pk=staff.pk).permissions

    other, _ = sign_in("boss")
    content = client.get(ACTIVATE).content.decode()
    secret = re.findall(r"<code[^>]*>([A-Z2-7 ]{39})</code>", content)[0].replace(" ", "")
    client.post(ACTIVATE, {"code": code(secret, STEP)})
    assert client.get("/admin/").status_code == 200
    assert client.get("/api/v1/accounts/").status_code == 200
    # What was made with the password only has ended.
    assert Client().get("/api/v1/accounts/", headers=headers).status_code == 401
    assert other.get("/api/v1/accounts/me/").status_code == 401
    body = {"username": "boss", "password": PASSWORD, "code": code(secret, STEP + 1)}
    answer = Client().post("/api/v1/auth/token/", body, content_type="application/json")
    headers = {"authorization": f"Token {answer.json()['token']}"}
    assert Client().get("/api/v1/accounts/", headers=headers).status_code == 200
    assert Token.objects.get(user=staff).methods == "password totp"


def test_customers_and_programs_go_on_as_they_are(required: None) -> None:
    account("ann")
    client, response = sign_in("ann")
    assert response["Location"] != "/accounts/2fa/"
    assert len(me(client)) == CUSTOMER.bit_count()
    till = account("till", is_client=True)
    helper = account("helper", roles=["support"])
    for user, left in ((till, int(CLIENT)), (helper, int(CUSTOMER))):
        text = Token.objects.create(user=user)[1]
        headers = {"authorization": f"Token {text}"}
        assert len(me(Client(), headers=headers)) == left.bit_count()
        digest = Token.objects.get(user=user).digest
        seen = tokens_look_up([Presented(digest, "10.0.0.1")])[Presented(digest, "10.0.0.1")]
        assert seen.caller.permissions == left


def test_both_computations_agree_whatever_the_account(required: None) -> None:
    for kind in range(16):
        user = User.objects.create_user(
            f"kind-{kind}",
            is_staff=bool(kind & 1),
            is_client=bool(kind & 2),
            second_factor=bool(kind & 4),
        )
        if kind & 8:
            user.give_roles(["finance"])
            user.save()
        Token.objects.create(user=user, permissions=-1)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {effective(factor_required=True)} FROM knox_authtoken AS token"
                " JOIN accounts_user AS account ON account.id = token.user_id"
                " WHERE account.id = %s",
                [user.pk],
            )
            assert cursor.fetchone()[0] == User.objects.get(pk=user.pk).permissions, kind
