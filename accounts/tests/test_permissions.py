"""The masks: Python and PostgreSQL compute the same."""

import itertools

import pytest
from django.db import connection
from django.test import Client

from accounts.access import Caller
from accounts.authentication import callers_by_digest
from accounts.models import Token, User
from accounts.permissions import (
    ALL,
    CLIENT,
    CUSTOMER,
    GIVEN_ROLES,
    ROLES,
    Permission,
    allows,
    codes,
    permission_of,
    role_mask,
)


def narrow(user: User, mask: int) -> None:
    """Give the user's tokens this mask at most."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE knox_authtoken SET permissions = %s WHERE user_id = %s", [mask, user.pk]
        )


def test_a_bit_stays_that_of_its_permission() -> None:
    """Rows store bits, so a new permission takes a new bit."""
    assert [permission.code for permission in Permission] == [
        "purchases:read", "purchases:write", "purchases:read_all", "purchases:write_all",
        "reports:read", "reports:write", "reports:read_all", "reports:write_all",
        "billing:read", "billing:write", "billing:read_all", "billing:write_all",
        "quizzes:read", "quizzes:write", "quizzes:read_all", "quizzes:write_all",
        "webhooks:read", "webhooks:write", "webhooks:read_all", "webhooks:write_all",
        "insight:read", "insight:read_all", "settings:read_all", "settings:write_all",
        "logs:read_all", "audit:read_all", "accounts:read_all", "accounts:admin",
    ]  # fmt: skip
    assert [int(permission) for permission in Permission] == [1 << bit for bit in range(28)]
    assert all(permission_of(permission.code) is permission for permission in Permission)


def test_who_may_do_it_to_everybodys_may_do_it_to_its_own_and_not_the_other_way_round() -> None:
    assert allows(Permission.PURCHASES_READ_ALL, Permission.PURCHASES_READ)
    assert not allows(Permission.PURCHASES_READ, Permission.PURCHASES_READ_ALL)
    assert not allows(Permission.PURCHASES_WRITE_ALL, Permission.PURCHASES_READ)
    assert not allows(ALL & ~Permission.ACCOUNTS_ADMIN, Permission.ACCOUNTS_ADMIN)


@pytest.mark.parametrize("role", ROLES)
def test_no_role_but_admin_administers_accounts(role: str) -> None:
    assert allows(ROLES[role], Permission.ACCOUNTS_ADMIN) == (role == "admin")


def test_python_and_postgresql_agree_on_every_account_and_credential(db: None) -> None:
    masks = [-1, 0, int(CLIENT), int(CUSTOMER), int(Permission.PURCHASES_READ)]
    given = [(), *((role,) for role in GIVEN_ROLES), ("finance", "operator")]
    flags = itertools.product((False, True), repeat=3)
    for number, ((superuser, staff, client), roles) in enumerate(itertools.product(flags, given)):
        user = User(
            username=f"u{number}",
            userid=f"u{number}",
            is_superuser=superuser,
            is_staff=staff,
            is_client=client,
        )
        user.give_roles(roles)
        user.save()
        token, _ = Token.objects.create(user)
        expected = role_mask([user.own_role, *roles])
        assert Caller.of(User.objects.get(pk=user.pk)).permissions == expected
        for mask in masks:
            narrow(user, mask)
            assert callers_by_digest([token.digest])[token.digest].permissions == expected & mask


def test_a_request_has_what_both_its_account_and_its_token_have(alice: User) -> None:
    _, token = Token.objects.create(alice)
    client = Client(headers={"Authorization": f"Token {token}"})
    for mask in (0, int(Permission.PURCHASES_READ), int(ALL), -1):
        narrow(alice, mask)
        answer = client.get("/api/v1/accounts/me/").json()
        assert answer["permissions"] == codes(CUSTOMER & mask)
        assert answer["roles"] == ["customer"]
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    assert client.get("/api/v1/accounts/me/").json()["permissions"] == codes(ALL)


def test_a_token_of_staff_that_may_only_record_for_itself(alice: User) -> None:
    """A right that a token lacks is refused and named, by the view and by the batched path."""
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    _, token = Token.objects.create(alice)
    client = Client(headers={"Authorization": f"Token {token}"})

    def buy(**names: str) -> tuple[int, str | None]:
        answer = client.post(
            "/api/v1/purchases/", {"price": "1.00", **names}, content_type="application/json"
        )
        return answer.status_code, answer.get("Accepted-Permissions")

    narrow(alice, int(Permission.PURCHASES_WRITE))
    assert buy() == (201, None)
    assert buy(username="alice") == (201, None)
    assert buy(username="bob", userid="b") == (403, "purchases:write_all")
    narrow(alice, int(ALL & ~(Permission.PURCHASES_WRITE | Permission.PURCHASES_WRITE_ALL)))
    assert buy() == (403, "purchases:write")
    narrow(alice, int(Permission.PURCHASES_WRITE_ALL))
    assert buy(username="bob", userid="b") == (201, None)
