"""Every change of an account has exactly one entry in the audit, which says who made it."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.models import BrowserSession, Token, User
from accounts.tests.conftest import make_recent
from audit.models import Detail, Waiting

pytestmark = pytest.mark.django_db

PASSWORD = "orchid-lamp-42"


class Seen:
    """The entries since the last look."""

    def __init__(self) -> None:
        self._known: set[Any] = set()

    def now(self) -> list[Waiting]:
        rows = Waiting.objects.exclude(pk__in=self._known).order_by("pk")
        found = list(rows)
        self._known |= {row.pk for row in found}
        return found

    def actions(self) -> list[str]:
        return [row.action for row in self.now()]

    def one(self, action: str) -> Waiting:
        (entry,) = self.now()
        assert entry.action == action
        return entry


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def joe(seen: Seen) -> User:
    user = User.objects.create_user("joe", "joe@example.com", PASSWORD, userid="005")
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    assert seen.actions() == ["account.created", "address.added"]
    return user


@pytest.fixture
def staff(seen: Seen) -> User:
    user = User.objects.create_superuser("staff", "staff@example.com", PASSWORD)
    seen.now()
    return user


def _client(user: User) -> Client:
    client = Client(REMOTE_ADDR="192.0.2.7", headers={"User-Agent": "Firefox"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def _json(client: Client, path: str, body: Any) -> Any:
    return client.post(path, body, content_type="application/json")


def test_signing_up_in_and_out(seen: Seen) -> None:
    form = {"username": "zoe", "email": "zoe@example.com", "password": PASSWORD}
    assert _json(Client(), "/api/v1/accounts/", form).status_code == 201
    created, added = seen.now()
    zoe = User.objects.get(username="zoe")
    assert (created.action, added.action) == ("account.created", "address.added")
    assert (created.actor_id, added.account_id) == (zoe.pk, zoe.pk)
    client = Client(REMOTE_ADDR="192.0.2.7", headers={"User-Agent": "curl/8"})
    sign_in = {"username": "zoe", "password": PASSWORD}
    answer = _json(client, "/api/v1/auth/token/", sign_in)
    token = answer.json()["token"]
    entry = seen.one("account.signed_in")
    row = Token.objects.get()
    assert (entry.actor_id, entry.object) == (zoe.pk, f"account:{zoe.pk}")
    assert entry.after == {"credential": "token", "id": str(row.id)}
    assert entry.request_id == answer["X-Request-ID"]
    wrong = sign_in | {"password": "x"}
    assert _json(Client(), "/api/v1/auth/token/", wrong).status_code == 401
    assert seen.actions() == []
    answer = client.post("/api/v1/auth/logout/", headers={"Authorization": f"Token {token}"})
    assert answer.status_code == 204
    entry = seen.one("token.ended")
    assert entry.object == entry.credential == f"token:{row.id}"
    # The pages.
    client.post("/accounts/login/", {"login": "zoe", "password": PASSWORD})
    entry = seen.one("account.signed_in")
    assert entry.after == {"credential": "session"}
    key = str(client.session.session_key)
    id = BrowserSession.objects.get(session_key=key).pk
    client.post("/accounts/logout/")
    entry = seen.one("account.signed_out")
    assert entry.credential == f"session:{id}"
    assert key not in str([*Waiting.objects.values(), *Detail.objects.values()])
    page = {"username": "kim", "email": "kim@example.com"}
    page |= {"password1": PASSWORD, "password2": PASSWORD}
    Client().post("/accounts/signup/", page)
    assert seen.actions() == ["account.created", "address.added", "account.signed_in"]


def test_passwords_and_addresses(joe: User, seen: Seen, mailoutbox: Any) -> None:
    client = Client()
    client.post("/accounts/login/", {"login": "joe", "password": PASSWORD})
    seen.now()
    new = "violet-river-77"
    client.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": new, "password2": new},
    )
    entry = seen.one("password.changed")
    assert (entry.actor_id, entry.account_id, entry.after) == (joe.pk, joe.pk, {"usable": True})
    client.post("/accounts/reauthenticate/", {"password": new})
    client.post("/accounts/email/", {"action_add": "", "email": "other@example.com"})
    entry = seen.one("address.added")
    assert "other" not in str(Waiting.objects.values())
    address = EmailAddress.objects.get(email="other@example.com")
    assert entry.object == f"address:{address.pk}"
    address.set_verified()
    assert seen.actions() == ["address.verified"]
    client.post("/accounts/email/", {"action_primary": "", "email": "other@example.com"})
    assert seen.one("address.chosen").actor_id == joe.pk
    client.post("/accounts/email/", {"action_remove": "", "email": "joe@example.com"})
    assert seen.one("address.removed").actor_id == joe.pk
    joe.refresh_from_db()
    joe.set_unusable_password()
    joe.save(update_fields=["password"])
    entry = seen.one("password.changed")
    assert entry.credential.startswith("command:")
    assert (entry.actor_id, entry.after) == (None, {"usable": False})


def test_the_admin(joe: User, staff: User, seen: Seen) -> None:
    client = _client(staff)
    make_recent(client, staff)
    assert seen.actions() == ["account.signed_in"]
    url = reverse("admin:accounts_user_change", args=[joe.pk])
    form = {"username": "joe", "userid": "005", "email": "joe@example.com", "is_active": "on"}
    assert client.post(url, form).status_code == 302
    assert seen.actions() == []
    client.post(url, form | {"is_client": "on"})
    entry = seen.one("account.ranked")
    assert (entry.actor_id, entry.account_id) == (staff.pk, joe.pk)
    assert (entry.before, entry.after) == ({"is_client": False}, {"is_client": True})
    client.post(url, form | {"is_client": "on", "username": "joey"})
    entry = seen.one("account.changed")
    assert (entry.actor_id, entry.account_id) == (staff.pk, joe.pk)
    assert entry.after == {"fields": ["username"]}
    changes = reverse("admin:accounts_user_changelist")
    for action, *recorded in (
        ("revoke_tokens", "token.ended"),
        ("disable_password", "password.changed"),
        # What a closed account could sign in with ends, too.
        ("deactivate", "sessions.ended", "account.deactivated"),
    ):
        client.post(changes, {"action": action, "_selected_action": [joe.pk]})
        entries = seen.now()
        assert [entry.action for entry in entries] == recorded
        assert {(entry.actor_id, entry.object) for entry in entries} == {
            (staff.pk, f"account:{joe.pk}")
        }
    password = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    client.post(reverse("admin:auth_user_password_change", args=[joe.pk]), password)
    assert seen.one("password.changed").actor_id == staff.pk
    client.post(reverse("admin:accounts_token_add"), {"user": joe.pk})
    entry = seen.one("token.created")
    token = Token.objects.get(user=joe)
    assert (entry.object, entry.account_id) == (f"token:{token.id}", joe.pk)
    ticked = {"action": "delete_selected", "_selected_action": [token.pk], "post": "yes"}
    client.post(reverse("admin:accounts_token_changelist"), ticked)
    assert seen.one("token.ended").object == f"token:{token.id}"
    client.post(reverse("admin:auth_group_add"), {"name": "clerks"})
    group = Group.objects.get()
    assert seen.one("admin.added").object == f"group:{group.pk}"
    client.post(reverse("admin:auth_group_change", args=[group.pk]), {"name": "tellers"})
    assert seen.one("admin.changed").after == {"fields": ["name"]}
    client.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"})
    assert seen.one("admin.deleted").object == f"group:{group.pk}"
    address = EmailAddress.objects.get(user=joe)
    client.post(reverse("admin:account_emailaddress_delete", args=[address.pk]), {"post": "yes"})
    entry = seen.one("address.removed")
    assert (entry.actor_id, entry.account_id) == (staff.pk, joe.pk)


def test_commands(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["manage.py", "create_account"])
    call_command("create_account", "till", "--client")
    (entry,) = seen.now()
    assert (entry.action, entry.credential) == ("account.created", "command:create_account")
    assert entry.actor_id is None
