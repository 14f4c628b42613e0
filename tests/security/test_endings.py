"""A new password or a deactivated account ends sessions and tokens."""

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from accounts.authentication import callers_by_digest, callers_by_session
from accounts.mailing import mails_send
from accounts.models import Token, TokenKind, User
from accounts.tests.conftest import make_recent
from tests.access import PASSWORD
from tests.security.forms import sign_in_token
from tests.world import World, world

__all__ = ["world"]
OTHER_PASSWORD = "violet-chair-77"


def _change_by_page(world: World) -> None:
    client = world.client("owner", api=False)
    form = {"oldpassword": PASSWORD, "password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD}
    assert client.post("/accounts/password/change/", form).status_code == 302


def _reset_by_mail(world: World) -> None:
    client = Client()
    client.post("/accounts/password/reset/", {"email": "owner@example.com"})
    mails_send()
    (link,) = re.findall(r"http://\S+(/accounts/password/reset/key/\S+)", str(mail.outbox[-1].body))
    form = client.get(link, follow=True).request["PATH_INFO"]
    done = client.post(form, {"password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD})
    assert done.status_code == 302
    # The link works once.
    assert b"password1" not in Client().get(link, follow=True).content


def _change_in_admin(world: World) -> None:
    client = world.client("admin", api=False)
    make_recent(client, world.users["admin"])
    done = client.post(
        f"/admin/accounts/user/{world.users['owner'].pk}/password/",
        {"password1": OTHER_PASSWORD, "password2": OTHER_PASSWORD, "usable_password": "true"},
    )
    assert done.status_code == 302


def _change_on_the_command_line(world: World) -> None:
    user = world.users["owner"]
    user.set_password(OTHER_PASSWORD)
    user.save()


def _end_everywhere_by_page(world: World) -> None:
    assert world.client("owner", api=False).post("/accounts/sessions/").status_code == 302


def _end_everywhere_by_the_api(world: World) -> None:
    client = world.client("owner", api=False)
    answer = client.post(
        "/api/v1/sessions/end/", {"keep_current": False}, content_type="application/json"
    )
    assert answer.status_code == 200
    assert client.get("/purchases/").status_code == 302


def _end_one_by_one(world: World) -> None:
    client = world.client("owner", api=False)
    client.get("/purchases/")
    for each in client.get("/api/v1/sessions/").json():
        if not each["current"]:
            assert client.delete(f"/api/v1/sessions/{each['id']}/").status_code == 204
    assert client.get("/purchases/").status_code == 200


def _deactivate_in_admin(world: World) -> None:
    client = world.client("admin", api=False)
    form = {"action": "deactivate", "_selected_action": str(world.users["owner"].pk)}
    assert client.post("/admin/accounts/user/", form).status_code == 302
    # Ended tokens stay ended.
    User.objects.filter(username="owner").update(is_active=True)
    assert not Token.objects.filter(user__username="owner").exists()
    User.objects.filter(username="owner").update(is_active=False)


@pytest.mark.parametrize(
    "end",
    [
        _change_by_page,
        _reset_by_mail,
        _change_in_admin,
        _change_on_the_command_line,
        _deactivate_in_admin,
        _end_everywhere_by_page,
        _end_everywhere_by_the_api,
        _end_one_by_one,
    ],
)
def test_sessions_and_tokens_end(world: World, end: Any) -> None:
    session = Client()
    session.post("/accounts/login/", {"login": "owner", "password": PASSWORD})
    token = {"Authorization": f"Token {world.tokens['owner']}"}
    digest = Token.objects.get(user__username="owner", kind=TokenKind.SIGN_IN).digest
    assert session.get("/purchases/").status_code == 200
    key = str(session.session.session_key)
    assert callers_by_session([key])
    assert Client(headers=token).get("/api/v1/accounts/me/").status_code == 200
    end(world)
    assert session.get("/purchases/").status_code == 302
    assert Client(headers=token).get("/api/v1/accounts/me/").status_code == 401
    # Sockets and the batched path ask this.
    assert callers_by_digest([digest]) == callers_by_session([key]) == {}
    assert Token.objects.filter(user__username="other").exists()


def test_a_better_hash_of_the_same_password_ends_nothing(world: World, settings: Any) -> None:
    # Every present hasher counts as outdated now.
    settings.PASSWORD_HASHERS = [
        "accounts.passwords.PBKDF2",
        "accounts.passwords.Argon2",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    before = User.objects.get(username="owner").password
    assert sign_in_token("owner", PASSWORD).status_code == 200
    assert User.objects.get(username="owner").password != before
    token = {"Authorization": f"Token {world.tokens['owner']}"}
    assert Client(headers=token).get("/api/v1/accounts/me/").status_code == 200
