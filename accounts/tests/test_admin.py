"""The admin: who may change which accounts, and what an operator may type."""

import re
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import OutgoingMail, Token, User
from accounts.permissions import role_mask
from accounts.tests.conftest import PASSWORD, make_recent
from purchases.models import Purchase
from shop.core.admin_tools import LargeTableAdmin

pytestmark = pytest.mark.django_db

URL = "/admin/accounts/user/"
ACTIONS = ("revoke_tokens", "disable_password", "deactivate")
RANK = {"is_staff": "on", "is_superuser": "on", "is_client": "on"}


def make_staff(name: str, *permissions: str, **extra: Any) -> User:
    """Return staff with these permissions, each ``app.codename``."""
    user = User.objects.create_user(
        name, f"{name}@example.com", PASSWORD, userid=f"id-{name}", is_staff=True, **extra
    )
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return user


def enter(user: User | None, *, is_recent: bool = True) -> Client:
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    if user is not None and is_recent:
        make_recent(client, user)
    return client


def states(*users: User) -> list[tuple[Any, ...]]:
    """Return everything that an action could change."""
    rows = User.objects.filter(pk__in=[user.pk for user in users]).order_by("pk")
    return [
        (
            *values,
            Token.objects.filter(user_id=values[0]).count(),
            EmailAddress.objects.filter(user_id=values[0], verified=True).count(),
        )
        for values in rows.values_list(
            "pk", "username", "password", "is_active", "is_staff", "is_superuser", "is_client"
        )
    ]


@pytest.fixture
def root(db: Any) -> User:
    return make_staff("root", is_superuser=True)


@pytest.fixture
def gone_root(db: Any) -> User:
    return make_staff("gone-root", is_superuser=True, is_active=False)


@pytest.fixture
def chief(db: Any) -> User:
    """Return a deactivated member of staff who has the permission by a group."""
    chief = make_staff("chief", is_active=False)
    group = Group.objects.create(name="chiefs")
    group.permissions.add(Permission.objects.get(codename="view_report"))
    chief.groups.add(group)
    return chief


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("permissions", "status"),
    [((), 403), (("accounts.view_user",), 200), (("accounts.change_user",), 302)],
)
def test_an_action_needs_the_permission_to_change_and_is_logged(
    alice: User, action: str, permissions: tuple[str, ...], status: int
) -> None:
    Token.objects.create(user=alice)
    before = states(alice)
    client = enter(make_staff("clerk", *permissions))
    form = {"action": action, "_selected_action": alice.pk}
    assert client.post(URL, form).status_code == status
    may = "accounts.change_user" in permissions
    assert (states(alice) != before) is may
    assert Token.objects.exists() is not may
    logged = LogEntry.objects.filter(object_id=str(alice.pk), user__username="clerk")
    assert logged.count() == int(may)


@pytest.mark.parametrize("actor", ["alice", None])
def test_who_is_no_staff_does_not_enter(alice: User, actor: str | None) -> None:
    before = states(alice)
    client = enter(alice if actor else None)
    assert client.get(URL).status_code == 302
    for action in ACTIONS:
        form = {"action": action, "_selected_action": alice.pk}
        assert client.post(URL, form).status_code in (302, 403)
    assert states(alice) == before


def test_nobody_reaches_above_its_own_rank(
    alice: User, root: User, gone_root: User, chief: User
) -> None:
    clerk = make_staff(
        "clerk",
        *(f"accounts.{verb}_user" for verb in ("view", "add", "change", "delete")),
        *(f"account.{verb}_emailaddress" for verb in ("view", "add", "change", "delete")),
        *(f"accounts.{verb}_token" for verb in ("view", "add", "change", "delete")),
        *(f"auth.{verb}_group" for verb in ("view", "add", "change", "delete")),
    )
    above = (root, gone_root, chief)
    addresses = [
        EmailAddress.objects.create(user=user, email=user.email, primary=True) for user in above
    ]
    tokens = [Token.objects.create(user=user)[0] for user in above]
    before = states(*above)
    client = enter(clerk)
    for action in ACTIONS:
        client.post(URL, {"action": action, "_selected_action": [user.pk for user in above]})
    client.post(
        "/admin/account/emailaddress/",
        {"action": "make_verified", "_selected_action": [address.pk for address in addresses]},
    )
    client.post(
        "/admin/accounts/token/",
        {
            "action": "delete_selected",
            "_selected_action": [token.pk for token in tokens],
            "post": "yes",
        },
    )
    new = {"password1": "another-lamp-43", "password2": "another-lamp-43"}
    for user, address, token in zip(above, addresses, tokens, strict=True):
        # The account may be read, but not its password page.
        assert client.get(f"{URL}{user.pk}/change/").status_code == 200
        assert client.get(f"{URL}{user.pk}/password/").status_code == 403
        for password in ({**new, "usable_password": "true"}, {"usable_password": "false"}):
            done = client.post(f"{URL}{user.pk}/password/", {**password, "unset-password": "1"})
            assert done.status_code == 403
        form = {"username": "taken", "userid": user.userid, "email": "evil@example.com"}
        assert client.post(f"{URL}{user.pk}/change/", form).status_code == 403
        address_url = f"/admin/account/emailaddress/{address.pk}"
        form = {"user": str(user.pk), "email": "evil@example.com", "verified": "on"}
        assert client.post(f"{address_url}/change/", form).status_code == 403
        assert client.post(f"{address_url}/delete/", {"post": "yes"}).status_code == 403
        assert client.post("/admin/account/emailaddress/add/", form).status_code == 200
        assert client.post(f"/admin/accounts/token/{token.pk}/change/").status_code == 403
        deleted = client.post(f"/admin/accounts/token/{token.pk}/delete/", {"post": "yes"})
        assert deleted.status_code == 403
        form = {"user": str(user.pk), "expiry_0": "2099-01-01", "expiry_1": "00:00"}
        assert client.post("/admin/accounts/token/add/", form).status_code == 200
    assert states(*above) == before
    assert EmailAddress.objects.count() == 3
    # Nobody extends a group, because groups give permissions.
    for suffix in (
        "add/",
        f"{Group.objects.get().pk}/change/",
        f"{Group.objects.get().pk}/delete/",
    ):
        assert client.post(f"/admin/auth/group/{suffix}", {"name": "x"}).status_code == 403
    # Accounts without a higher rank may be changed, but not given to others.
    mine = EmailAddress.objects.create(user=alice, email=alice.email)
    form = {"user": str(root.pk), "email": alice.email, "verified": "on"}
    changed = client.post(f"/admin/account/emailaddress/{mine.pk}/change/", form)
    assert changed.status_code == 302
    mine.refresh_from_db()
    assert (mine.user, mine.verified) == (alice, True)


def test_what_lets_in_is_given_after_a_recent_sign_in_and_not_past_a_second_factor(
    alice: User, root: User
) -> None:
    token, password = "/admin/accounts/token/add/", f"{URL}{alice.pk}/password/"
    form = {"user": str(alice.pk), "expiry_0": "2099-01-01", "expiry_1": "00:00"}
    new = {"password1": "another-lamp-43", "password2": "another-lamp-43"}
    new["usable_password"] = "true"
    left_open = enter(root, is_recent=False)
    before = states(alice)
    for url, sent in ((token, form), (password, new)):
        for answer in (left_open.get(url), left_open.post(url, sent)):
            assert answer["Location"].startswith("/accounts/reauthenticate/"), url
            assert "another-lamp" not in answer["Location"]
    assert states(alice) == before
    assert Client().get(token)["Location"].startswith("/admin/login/")
    client = enter(root)
    User.objects.filter(pk=alice.pk).update(second_factor=True)
    assert client.post(token, form).status_code == 200
    assert not Token.objects.filter(user=alice).exists()
    User.objects.filter(pk=alice.pk).update(second_factor=False)
    assert client.post(token, form).status_code == 302
    assert Token.objects.filter(user=alice).count() == 1
    assert client.post(password, new).status_code == 302
    alice.refresh_from_db()
    assert alice.check_password("another-lamp-43")


def test_rank_addresses_and_groups_change_after_a_recent_sign_in(alice: User, root: User) -> None:
    address = EmailAddress.objects.create(user=alice, email="alice@example.com", primary=True)
    group = Group.objects.create(name="one")
    before = (states(alice, root), Group.objects.count())
    emails = "/admin/account/emailaddress/"
    ticked = {"action": "make_verified", "_selected_action": [address.pk]}
    form = {"user": str(alice.pk), "email": alice.email, "verified": "on", "primary": "on"}
    account = {"username": alice.username, "userid": alice.userid, "email": "evil@example.com"}
    writes: list[tuple[str, dict[str, Any]]] = [
        (f"{URL}{alice.pk}/change/", account | RANK | {"is_active": "on"}),
        (f"{URL}add/", {"username": "eve", "userid": "eve", "usable_password": "false"}),
        (emails, ticked),
        (f"{emails}add/", form | {"email": "other@example.com"}),
        (f"{emails}{address.pk}/change/", form),
        (f"{emails}{address.pk}/delete/", {"post": "yes"}),
        ("/admin/auth/group/add/", {"name": "chiefs"}),
        (f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}),
    ]
    left_open = enter(root, is_recent=False)
    for url, sent in writes:
        answer = left_open.post(url, sent)
        assert answer["Location"].startswith("/accounts/reauthenticate/"), url
        assert "evil" not in answer["Location"]
        # Looking asks for nothing.
        assert left_open.get(url).status_code == 200, url
    assert (states(alice, root), Group.objects.count()) == before


@pytest.mark.parametrize("way", ["action", "form"])
def test_a_tick_at_verified_ends_what_a_late_proof_ends(alice: User, root: User, way: str) -> None:
    """Whoever signed up with somebody else's address must not share the account with its reader."""
    EmailAddress.objects.filter(user=alice).delete()
    address = EmailAddress.objects.create(user=alice, email=alice.email, primary=True)
    other = EmailAddress.objects.create(user=alice, email="attacker@example.com")
    Token.objects.create(user=alice)
    browser = enter(alice)
    emails = "/admin/account/emailaddress/"
    form = {"user": str(alice.pk), "email": alice.email, "verified": "on", "primary": "on"}
    sent = {
        "action": (emails, {"action": "make_verified", "_selected_action": [address.pk]}),
        "form": (f"{emails}{address.pk}/change/", form),
    }
    client = enter(root)
    assert client.post(*sent[way]).status_code == 302
    alice.refresh_from_db()
    assert not alice.has_usable_password()
    assert not Token.objects.filter(user=alice).exists()
    assert browser.get("/api/v1/accounts/me/").status_code == 401
    rows = EmailAddress.objects.filter(user=alice).values_list("email", "verified", "primary")
    assert list(rows) == [(alice.email, True, True)]
    assert not EmailAddress.objects.filter(pk=other.pk).exists()
    mail = OutgoingMail.objects.get()
    assert mail.recipient == alice.email
    # A second address of an account that has proved one ends nothing.
    alice.set_password(PASSWORD)
    alice.save()
    second = {"user": str(alice.pk), "email": "second@example.com", "verified": "on"}
    assert client.post(f"{emails}add/", second).status_code == 302
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert EmailAddress.objects.filter(user=alice, verified=True).count() == 2
    # What another account has proved stays there.
    theirs = {"user": str(root.pk), "email": "second@example.com", "verified": "on"}
    client.post(f"{emails}add/", theirs)
    assert not EmailAddress.objects.filter(user=root, verified=True).exists()


def test_only_superusers_edit_rank(alice: User, root: User) -> None:
    clerk = make_staff("clerk", "accounts.add_user", "accounts.change_user")
    group = Group.objects.create(name="chiefs")
    permission = Permission.objects.get(codename="delete_report")
    rank: dict[str, Any] = {**RANK, "groups": [group.pk], "user_permissions": [permission.pk]}
    rank["roles"] = ["finance", "auditor"]

    def write(client: Client, user: User) -> User:
        form: dict[str, Any] = {**rank, "is_active": "on"}
        form |= {"username": user.username, "userid": user.userid, "email": user.email}
        assert client.post(f"{URL}{user.pk}/change/", form).status_code == 302
        return User.objects.get(pk=user.pk)

    for user in (alice, clerk):
        before = states(user)
        after = write(enter(clerk), user)
        assert states(user) == before
        assert not after.groups.exists()
        assert (after.roles, after.role_permissions) == ([], 0)
        assert permission not in after.user_permissions.all()
    new = {"username": "bob", "userid": "101", "usable_password": "false", **rank}
    assert enter(clerk).post(f"{URL}add/", new).status_code == 302
    bob = User.objects.get(username="bob")
    assert states(bob)[0][4:7] == (False, False, False)
    assert not bob.groups.exists()
    after = write(enter(root), alice)
    assert after.is_staff
    assert after.is_superuser
    assert after.is_client
    assert list(after.groups.all()) == [group]
    assert after.roles == ["auditor", "finance"]
    assert after.role_permissions == role_mask(after.roles)


def test_nobody_locks_itself_out(root: User) -> None:
    client = enter(root)
    for action in ("disable_password", "deactivate"):
        client.post(URL, {"action": action, "_selected_action": root.pk})
    form = {"username": "root", "userid": root.userid, "email": root.email, **RANK}
    assert client.post(f"{URL}{root.pk}/change/", form).status_code == 302
    root.refresh_from_db()
    assert root.is_active
    assert root.has_usable_password()


@pytest.mark.parametrize("way", ["action", "page"])
def test_who_has_no_password_left_has_no_token_left(alice: User, root: User, way: str) -> None:
    Token.objects.create(user=alice)
    client = enter(root)
    if way == "action":
        client.post(URL, {"action": "disable_password", "_selected_action": alice.pk})
    else:
        form = {"usable_password": "false", "unset-password": "1"}
        assert client.post(f"{URL}{alice.pk}/password/", form).status_code == 302
    alice.refresh_from_db()
    assert not alice.has_usable_password()
    assert not Token.objects.exists()


def test_no_page_of_an_account_reads_its_purchases(alice: User, root: User) -> None:
    """PostgreSQL would read every row, and Django would load them all."""
    purchase = Purchase.objects.create(
        customer=alice,
        recorded_by=alice,
        price=Decimal(5),
        currency="EUR",
        timestamp=datetime(2024, 5, 31, tzinfo=UTC),
        dedupe_key=uuid.uuid4(),
    )
    client = enter(root)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        for page in ("change", "history", "delete", "password"):
            suffix = f"{alice.pk}/{page}/"
            assert client.get(URL + suffix).status_code == (403 if page == "delete" else 200)
        deleted = client.post(f"{URL}{alice.pk}/delete/", {"post": "yes"})
        assert deleted.status_code == 403
        form = {"action": "delete_selected", "_selected_action": alice.pk, "post": "yes"}
        client.post(URL, form)
    assert User.objects.filter(pk=alice.pk).exists()
    assert not [query for query in queries if "purchases_" in query["sql"]]
    shown = client.get(f"/admin/purchases/purchase/{purchase.pk}/change/")
    assert b"alice" in shown.content


# --- What an operator may type ----------------------------------------------------------------

MODELS = sorted(
    f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in admin.site._registry
)
VALUES = (
    "", "x", "(", "[", "0e999999999", "-1", "9" * 30, "NaN", "1,2", "None", "\ud7ff", "\u202e",
    "9999-12-31T23:59:59+23:00", "0001-01-01T00:00:00-23:59", str(uuid.UUID(int=0)), "%", "\\", "'",
)  # fmt: skip
LOOKUPS = ("", "__exact", "__in", "__gte", "__lt", "__range", "__isnull", "__regex", "__iregex",
           "__icontains", "__startswith", "__year__gte", "__date", "__username", "__id__exact",
           "__pk", "__password__startswith", "__nonsense")  # fmt: skip


def model_at(url: str) -> Any:
    return next(model for model in admin.site._registry if f"/{model._meta.model_name}/" in url)


def test_every_page_is_for_large_tables() -> None:
    assert [
        model
        for model, page in admin.site._registry.items()
        if not isinstance(page, LargeTableAdmin)
    ] == []


@pytest.mark.parametrize("url", MODELS)
def test_whatever_is_typed_is_answered(root: User, url: str) -> None:
    client = enter(root)
    model = model_at(url)
    names = [field.name for field in model._meta.get_fields()] + ["pk", "nonsense"]
    found = {}
    # Each name, lookup and value once, combined with the others in turn.
    queries = [
        {f"{names[at % len(names)]}{LOOKUPS[at % len(LOOKUPS)]}": VALUES[at % len(VALUES)]}
        for at in range(max(len(names), len(LOOKUPS), len(VALUES)))
    ]
    parameters = ("q", "o", "p", "e", "all", "_popup", "_to_field", "_facets", "_source_model")
    queries += [{name: VALUES[at * 2 % len(VALUES)]} for at, name in enumerate(parameters)]
    queries += [{"q": value} for value in VALUES]
    queries += [{"_to_field": "password"}, {"o": "0.-1.5"}, {"p": "1"}]
    for query in queries:
        found[urlencode(query)] = client.get(f"{url}?{urlencode(query)}").status_code
    pages = ("change", "delete", "history")
    paths = [f"{url}{value}/{pages[at % 3]}/" for at, value in enumerate(VALUES)]
    paths.append(f"{url}add/?{urlencode(dict.fromkeys(names, 'x'))}")
    for path in paths:
        found[path] = client.get(path).status_code
    assert {query: status for query, status in found.items() if status >= 500} == {}
    # None of them filters a list by a column without an index.
    looked_up = [query for query in queries if next(iter(query)).partition("__")[0] in names]
    assert {found[urlencode(query)] for query in looked_up} == {400}


@pytest.mark.parametrize("url", MODELS)
def test_whatever_is_ticked_is_answered(root: User, url: str) -> None:
    client = enter(root)
    before = states(root)
    pages: Any = admin.site._registry[model_at(url)]
    actions = (*pages.actions, "delete_selected")
    forms: list[dict[str, Any]] = [
        {"action": actions[0], "_selected_action": value, "index": "0"}
        for value in (*VALUES, "a\0b", [*range(51)])
    ]
    forms += [
        {"action": "delete_selected", "_selected_action": "0", "index": index}
        for index in ("x", "-1", "7", "9" * 30)
    ]
    forms.append({"action": "nonsense", "_selected_action": "0", "select_across": "x"})
    found = [(form, client.post(url, form).status_code) for form in forms]
    assert [(form, status) for form, status in found if status not in (200, 302, 400, 403)] == []
    assert states(root) == before


def test_an_action_never_takes_all_pages(alice: User, root: User) -> None:
    form = {"action": "deactivate", "_selected_action": alice.pk, "select_across": "1"}
    assert b"at most 50" in enter(root).post(URL, form, follow=True).content
    alice.refresh_from_db()
    assert alice.is_active


def test_a_list_counts_what_is_ticked_and_offers_no_more(root: User) -> None:
    User.objects.bulk_create(
        User(username=f"u{number}", userid=f"u{number}") for number in range(60)
    )
    shown = enter(root).get(URL).content.decode()
    # Django's script of the list fails without a counter.
    assert 'class="action-counter" data-actions-icnt="50"' in shown
    assert "across all pages" not in shown


@pytest.mark.parametrize("query", ["?o=4", "?o=-5.4", "?o=1"])
def test_the_ledger_has_one_order(root: User, query: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert enter(root).get(f"/admin/purchases/purchase/{query}").status_code == 200
    ordered = [sql["sql"] for sql in queries if "ORDER BY" in sql["sql"] and '"item"' in sql["sql"]]
    assert ordered
    assert all('ORDER BY "purchases_purchase"."timestamp" DESC' in sql for sql in ordered)


def test_a_cap_is_not_shown_as_a_count(root: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shop.core.admin_tools.PAGES", 1)
    User.objects.bulk_create(
        User(username=f"u{number}", userid=f"u{number}") for number in range(49)
    )
    client = enter(root)
    assert "50 users" in client.get(URL).content.decode()
    User.objects.create(username="u50", userid="u50")
    text = client.get(URL).content.decode()
    assert "More than 50 users; the pages show the first 50" in text
    assert "A whole username or a whole userid." in text
    found = client.get(f"{URL}?q=u7").content.decode()
    assert "1 result " in found
    assert "1 user" in found
    assert client.get(f"{URL}?q=u").content.decode().count("0 results") == 1


def test_no_two_parts_of_the_index_have_one_name(root: User) -> None:
    captions = re.findall(
        r'class="section"[^>]*>\s*([^<]+?)\s*<', enter(root).get("/admin/").content.decode()
    )
    assert "E-mail addresses" in captions
    assert sorted({*captions}) == sorted(captions)
