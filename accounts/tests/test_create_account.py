"""The command that makes the first account of an installation, and those of programs."""

from io import StringIO
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from accounts.models import User
from accounts.tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def create(monkeypatch: pytest.MonkeyPatch, *arguments: str, password: str = PASSWORD) -> str:
    monkeypatch.setattr("sys.stdin", StringIO(f"{password}\n"))
    out = StringIO()
    call_command("create_account", *arguments, stdout=out)
    return out.getvalue()


def test_the_first_superuser(monkeypatch: pytest.MonkeyPatch, sign_in: Any) -> None:
    said = create(monkeypatch, "root", "--superuser", "--email", "Root@example.com")
    client = Client()
    me = client.get("/api/v1/accounts/me/", headers=sign_in("root")).json()
    assert me["userid"] in said
    assert (me["email"], me["email_verified"], me["is_staff"]) == ("root@example.com", True, True)
    done = client.post("/accounts/login/", {"login": "root", "password": PASSWORD})
    assert done.status_code == 302
    assert client.get("/admin/accounts/user/add/").status_code == 200


def test_staff_is_given_its_permissions_later(monkeypatch: pytest.MonkeyPatch) -> None:
    create(monkeypatch, "clerk", "--staff", "--email", "clerk@example.com")
    clerk = User.objects.get(username="clerk")
    assert (clerk.is_staff, clerk.is_superuser, clerk.is_client) == (True, False, False)


def test_somebody_gets_roles_and_does_not_enter_the_admin(
    monkeypatch: pytest.MonkeyPatch, sign_in: Any
) -> None:
    roles = ("--role", "finance", "--role", "analyst")
    create(monkeypatch, "fin", *roles, "--email", "fin@example.com")
    me = Client().get("/api/v1/accounts/me/", headers=sign_in("fin")).json()
    assert me["roles"] == ["customer", "analyst", "finance"]
    assert {"billing:write_all", "quizzes:read_all", "purchases:write"} <= {*me["permissions"]}
    assert "purchases:write_all" not in me["permissions"]
    assert not me["is_staff"]


def test_a_client_program_gets_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    said = create(monkeypatch, "till-2", "--client", "--userid", "till-2")
    till = User.objects.get(userid="till-2")
    assert till.is_client
    assert not till.is_staff
    assert not till.has_usable_password()
    purchase = {"username": "joe", "userid": "005", "price": "1"}
    headers = {"authorization": f"Token {said.split()[-1]}"}
    recorded = Client().post(
        "/api/v1/purchases/", purchase, content_type="application/json", headers=headers
    )
    assert recorded.status_code == 201


@pytest.mark.parametrize(
    "arguments",
    [
        ("root", "--superuser"),
        ("ROOT", "--superuser", "--email", "a@example.com"),
        ("a/b", "--superuser", "--email", "a@example.com"),
        ("new", "--superuser", "--email", "nonsense"),
        ("new", "--superuser", "--email", "one@example.com"),
        ("new", "--client", "--userid", "system:importer"),
    ],
)
def test_what_is_refused(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    root = User.objects.create_user("root", "one@example.com", userid="1")
    EmailAddress.objects.create(user=root, email=root.email, verified=True, primary=True)
    with pytest.raises(CommandError):
        create(monkeypatch, *arguments)
    with pytest.raises(CommandError):
        create(monkeypatch, "new", "--superuser", "--email", "a@example.com", password="123")
    assert User.objects.count() == 1
