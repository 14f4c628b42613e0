"""allauth's pages with our adapter, and the demo accounts."""

import re
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from threading import Barrier
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client

from accounts.models import User
from accounts.tests.conftest import PASSWORD, SentMail

pytestmark = pytest.mark.django_db

EVE = {
    "username": "eve",
    "email": "eve@example.com",
    "password1": PASSWORD,
    "password2": PASSWORD,
}


@pytest.mark.parametrize("path", ["/", "/purchases/", "/live/", "/reports/", "/documentation"])
def test_pages_take_no_other_methods(client: Client, path: str) -> None:
    for method in ("PUT", "DELETE"):
        answer = client.generic(method, path)
        assert answer.status_code == 405
        assert "GET" in answer["Allow"]
        assert b">Method not allowed</h1>" in answer.content


def test_sign_up_page(client: Client, sent_mail: SentMail) -> None:
    response = client.post("/accounts/signup/", EVE)
    assert response.status_code == 302
    assert response["Location"] == "/"
    user = User.objects.get(username="eve")
    assert re.fullmatch("[0-9a-f]{16}", user.userid)
    assert client.get("/api/v1/accounts/me/").json()["email_verified"] is False
    [mail] = sent_mail()
    link = re.search(rf"{settings.SITE_URL}(/accounts/confirm-email/\S+)", str(mail.body))
    assert link is not None
    assert client.post(link[1]).status_code == 302
    assert client.get("/api/v1/accounts/me/").json()["email_verified"] is True


def test_sign_up_page_refuses_a_username_in_another_case(client: Client, alice: User) -> None:
    response = client.post("/accounts/signup/", {**EVE, "username": "ALICE"})
    assert response.status_code == 200
    assert b"already exists" in response.content
    assert User.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_sign_up_button_pressed_twice() -> None:
    barrier = Barrier(2)

    def press(client: Client) -> int:
        try:
            barrier.wait()
            return client.post("/accounts/signup/", EVE).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        statuses = set(pool.map(press, [Client(), Client()]))
    assert statuses <= {200, 302}
    assert User.objects.count() == 1


def test_sign_in_page_redirects_to_this_site_only(client: Client, alice: User) -> None:
    for after, expected in [("/live/", "/live/"), ("https://evil.example/", "/")]:
        client.logout()
        form = {"login": "Alice", "password": PASSWORD, "next": after}
        assert client.post("/accounts/login/", form)["Location"] == expected


def test_a_forgotten_password_revokes_tokens(
    client: Client, alice: User, sign_in: Any, sent_mail: SentMail
) -> None:
    headers = sign_in()
    client.post("/accounts/password/reset/", {"email": "alice@example.com"})
    [mail] = sent_mail()
    link = re.search(rf"{settings.SITE_URL}(/accounts/password/reset/key/\S+)", str(mail.body))
    assert link is not None
    page = client.get(link[1])
    form = {"password1": "another-lamp-43", "password2": "another-lamp-43"}
    assert client.post(page["Location"], form).status_code == 302
    assert Client().get("/api/v1/accounts/me/", headers=headers).status_code == 401
    sign_in(password="another-lamp-43")


def test_demo_accounts(client: Client, settings: Any, sign_in: Any, monkeypatch: Any) -> None:
    settings.DEVELOPMENT = True
    call_command("prepare_development", stdout=StringIO())
    demo = {user.username: user for user in User.objects.all()}
    assert {name: user.userid for name, user in demo.items()} == {
        "joe": "005",
        "ann": "006",
        "till": "till",
        "staff": "staff",
        "fin": "fin",
        "eve": "eve",
    }
    assert [name for name, user in demo.items() if user.is_client] == ["till"]
    assert [name for name, user in demo.items() if user.is_staff] == ["staff"]
    for name in ("joe", "ann", "staff", "fin", "eve"):
        headers = sign_in(name, f"demo-{name}")
        me = client.get("/api/v1/accounts/me/", headers=headers).json()
        assert me["email"] == f"{name}@example.com"
        assert me["email_verified"] is True
        roles = {"staff": ["admin"], "fin": ["customer", "finance"], "eve": ["customer", "support"]}
        assert me["roles"] == roles.get(name, ["customer"])
    # A second start hashes no password and changes nothing.
    monkeypatch.delattr("django.contrib.auth.hashers.MD5PasswordHasher.encode")
    call_command("prepare_development")
    assert EmailAddress.objects.count() == User.objects.count() == 6


def test_demo_accounts_are_for_development_only(settings: Any) -> None:
    settings.DEVELOPMENT = False
    with pytest.raises(CommandError):
        call_command("prepare_development")
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "where",
    ["http://[", "//[", "http://[::1", "//evil.example/", "http://testserver:x/", "\\\\evil"],
)
def test_an_address_to_go_on_to_that_is_none_of_ours_is_not_gone_to(
    alice: User, where: str
) -> None:
    for page in ("login", "signup", "logout", "reauthenticate"):
        client = Client()
        if page in ("logout", "reauthenticate"):
            client.force_login(alice)
        assert client.get(f"/accounts/{page}/", {"next": where}).status_code == 200, page
    form = {"login": alice.username, "password": PASSWORD, "next": where}
    for _ in range(2):
        # The second time it is signed in already.
        answer = client.post("/accounts/login/", form, follow=False)
        assert answer["Location"] == "/"
