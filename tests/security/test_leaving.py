"""What an account loses, every credential of it loses at once."""

from typing import Any

import pytest
from django.test import Client

from accounts.authentication import callers_by_digest, callers_by_session
from accounts.models import Token, TokenKind, User
from accounts.permissions import ALL, Permission
from people.folding import fold
from people.models import Membership, Team
from tests.access import PASSWORD

pytestmark = pytest.mark.django_db


def test_who_leaves_a_team_loses_its_rights_with_every_credential(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    ann = User.objects.create_user("ann", "ann@example.com", PASSWORD)
    boss = User.objects.create_user("boss", "boss@example.com", PASSWORD, is_staff=True)
    team = Team.objects.create(name="Office", roles=["auditor"])
    Membership.objects.create(team=team, user=ann)
    fold([ann.pk])
    browser = Client()
    browser.post("/accounts/login/", {"login": "ann", "password": PASSWORD})
    signed_in = {"username": "ann", "password": PASSWORD}
    pair = Client().post("/api/v1/auth/jwt/", signed_in, content_type="application/json").json()
    key = Token.objects.create(user=ann, kind=TokenKind.KEY, permissions=int(ALL))[1]
    token = Token.objects.create(user=ann)[1]
    clients = [
        browser,
        *(Client(headers={"authorization": f"Bearer {each}"}) for each in (pair["access"], key)),
        Client(headers={"authorization": f"Token {token}"}),
    ]
    assert [client.get("/api/v1/audit/").status_code for client in clients] == [200] * 4
    digests = [*Token.objects.filter(user=ann).values_list("digest", flat=True)]
    session = str(browser.session.session_key)

    def masks() -> list[int]:
        """Return what sockets, long polls and the batched path find."""
        found = [*callers_by_digest(digests).values(), *callers_by_session([session]).values()]
        return [caller.permissions & Permission.AUDIT_READ_ALL for caller in found]

    assert masks() == [int(Permission.AUDIT_READ_ALL)] * 4
    admin = Client(headers={"authorization": f"Token {Token.objects.create(user=boss)[1]}"})
    path = f"/api/v1/teams/{team.pk}/members/{ann.userid}/"
    assert admin.delete(path).status_code == 204
    assert [client.get("/api/v1/audit/").status_code for client in clients] == [403] * 4
    assert masks() == [0] * 4
