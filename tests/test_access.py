"""Who may what: every route of the URL configuration and the schema, for every kind of caller.

The routes are read from the URL configuration, the operations from ``docs/openapi.json``. A route
without a row in ``PAGES``, ``API`` or ``SOCKETS`` fails, and so does a row without a route. The
objects behind the routes are one owner's.
"""

import asyncio
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Group
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.utils import timezone
from knox.models import AuthToken
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from accounts.models import User
from accounts.permissions import ALL, ROLES, Permission, sufficient
from accounts.rules import CredentialKind, Rule, required_by
from documents import downloads
from documents.storage import DocumentStorage
from events.models import Event
from purchases.models import Purchase
from reports.models import Report
from shop.celery import app as celery_app
from shop.routes import websocket_urlpatterns
from tests.system import ROOT, System

ROLE_ACTORS = tuple(role for role in ROLES if role != "customer")
ACTORS = ("anonymous", "owner", "other", *ROLE_ACTORS, "revoked", "deactivated")
"""``owner`` and ``other`` are customers, and there is one account of each other role.

``revoked`` and ``deactivated`` are the owner with a credential that was good until then.
"""

SECRET = "a present that nobody else may know of"

# --- The table ------------------------------------------------------------------------------
# One row a route and method: the status for each of ACTORS, `default` for whoever is not named.
# 302 from a page is the way to the sign-in.
Row = dict[str, int]
SIGNED_OUT = ("anonymous", "revoked", "deactivated")


def api(default: int = 200, **others: int) -> Row:
    """Return a row of the API, which answers 401 to whoever is not signed in."""
    return {**dict.fromkeys(SIGNED_OUT, 401), "default": default, **others}


def page(default: int = 200, **others: int) -> Row:
    """Return a row of a page, which sends whoever is not signed in to the sign-in."""
    return {**dict.fromkeys(SIGNED_OUT, 302), "default": default, **others}


def admin(status: int = 200) -> Row:
    """Return a row of the admin, which sends all but admins to its door."""
    return {"default": 302, "admin": status}


OPEN = {"default": 200}
NO_METHOD = api(405)
OPEN_NO_METHOD = {"default": 405}
# Who reads everybody's purchases and reports.
READERS = ("support", "finance", "analyst", "auditor", "admin")
READ = dict.fromkeys(READERS, 200)
PURCHASE = api(404, owner=200, **READ)
# A client program has to do with purchases only.
REPORT = api(404, owner=200, client=403, **READ)
NAMES_THE_OWNER = {"owner": 201, "client": 201, "admin": 201}

API: dict[str, dict[str, Row]] = {
    "api/v1/purchases/": {"GET": api(), "POST": api(403, **NAMES_THE_OWNER)},
    "api/v1/purchases/bulk/": {"GET": NO_METHOD, "POST": api()},
    "api/v1/purchases/export.csv": {"GET": api(), "POST": NO_METHOD},
    "api/v1/purchases/export.jsonl": {"GET": api(), "POST": NO_METHOD},
    "api/v1/purchases/export.xlsx": {"GET": api(), "POST": NO_METHOD},
    "api/v1/purchases/<str:id>/": {"GET": PURCHASE, "POST": NO_METHOD},
    "api/v1/events/": {"GET": api(), "POST": NO_METHOD},
    "api/v1/events/types/": {"GET": api(), "POST": NO_METHOD},
    "api/v1/accounts/": {"GET": OPEN_NO_METHOD, "POST": {"default": 201}},
    "api/v1/accounts/me/": {"GET": api(), "POST": NO_METHOD},
    # The owner's password is sent by everybody.
    "api/v1/auth/token/": {"GET": OPEN_NO_METHOD, "POST": {"default": 200, "deactivated": 401}},
    "api/v1/auth/logout/": {"GET": NO_METHOD, "POST": api(204)},
    "api/v1/live-ticket/": {"GET": NO_METHOD, "POST": api()},
    "api/v1/reports/": {"GET": api(client=403), "POST": api(202, client=403)},
    "api/v1/reports/<str:id>/": {"GET": REPORT, "POST": NO_METHOD},
    "api/v1/reports/<str:id>/pdf/": {"GET": REPORT, "POST": NO_METHOD},
    "buy": {"GET": NO_METHOD, "POST": api(403, owner=200, client=200, admin=200)},
    "getAllUserBuys/<str:username>": {"GET": PURCHASE, "POST": NO_METHOD},
    "buyList/<str:username>": {"GET": PURCHASE, "POST": NO_METHOD},
}
API |= {
    f"^scalable-shop-cm-server/{route}": dict(API[route])
    for route in ("buy", "getAllUserBuys/<str:username>", "buyList/<str:username>")
}

PUBLIC = {"GET": OPEN, "POST": OPEN}
READ_ONLY = {"GET": OPEN, "POST": OPEN_NO_METHOD}
# No relay runs beside this test, which is what everybody is told.
NO_RELAY = {"GET": {"default": 503}, "POST": OPEN_NO_METHOD}
ELSEWHERE = {"default": 302}
ADMIN_DOOR = page(403, admin=302)
FOR_GUESTS_ROW = {**dict.fromkeys(SIGNED_OUT, 200), "default": 302}
FOR_GUESTS = {"GET": FOR_GUESTS_ROW, "POST": FOR_GUESTS_ROW}
ADMIN_READ_ONLY = {
    "": {"GET": admin(), "POST": admin()},
    "add/": {"GET": admin(403), "POST": admin(403)},
    "<path:object_id>/history/": {"GET": admin(), "POST": admin()},
    "<path:object_id>/delete/": {"GET": admin(403), "POST": admin(403)},
    "<path:object_id>/change/": {"GET": admin(), "POST": admin(403)},
    "<path:object_id>/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
}
ADMIN_MODEL = {
    "": {"GET": admin(), "POST": admin()},
    "add/": {"GET": admin(), "POST": admin()},
    "<path:object_id>/history/": {"GET": admin(), "POST": admin()},
    "<path:object_id>/delete/": {"GET": admin(), "POST": ELSEWHERE},
    "<path:object_id>/change/": {"GET": admin(), "POST": admin()},
    "<path:object_id>/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
}

PAGES: dict[str, dict[str, Row]] = {
    "healthz": NO_RELAY,
    "^scalable-shop-cm-server/healthz": NO_RELAY,
    "livez": READ_ONLY,
    "readyz": READ_ONLY,
    "metrics": READ_ONLY,
    "documentation": READ_ONLY,
    "documentation/": READ_ONLY,
    "documentation/openapi.json": READ_ONLY,
    "robots.txt": READ_ONLY,
    "favicon.ico": {"GET": ELSEWHERE, "POST": OPEN_NO_METHOD},
    # Who is signed in sends a form that lacks the price.
    "": {"GET": OPEN, "POST": page(400)},
    "purchases/": {"GET": page(), "POST": OPEN_NO_METHOD},
    "live/": {"GET": page(403, **READ), "POST": OPEN_NO_METHOD},
    "reports/": {"GET": page(client=403), "POST": page(302, client=403)},
    "accounts/login/": FOR_GUESTS,
    "accounts/logout/": {"GET": page(), "POST": ELSEWHERE},
    "accounts/inactive/": READ_ONLY,
    "accounts/signup/": FOR_GUESTS,
    "accounts/reauthenticate/": {"GET": page(), "POST": page()},
    "accounts/email/": {"GET": page(), "POST": ELSEWHERE},
    "accounts/confirm-email/": READ_ONLY,
    "accounts/password/change/": {"GET": page(), "POST": page()},
    # Everybody here has a password; who has one is sent to change it.
    "accounts/password/set/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
    "accounts/password/reset/": PUBLIC,
    "accounts/login/code/confirm/": {"GET": ELSEWHERE, "POST": ELSEWHERE},
    # The key in the link is the credential; the owner's address is verified already.
    "accounts/^confirm-email/(?P<key>[-:\\w]+)/$": {"GET": OPEN, "POST": {"default": 404}},
    "accounts/password/reset/key/done/": READ_ONLY,
    # The key is a wrong one, and the page says so.
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": PUBLIC,
    "accounts/password/reset/done/": READ_ONLY,
    "admin/": {"GET": admin(), "POST": admin()},
    "admin/login/": {"GET": ADMIN_DOOR, "POST": ADMIN_DOOR},
    "admin/logout/": {"GET": admin(405), "POST": ELSEWHERE},
    # It is the page of all accounts that does it.
    "admin/password_change/": {"GET": ELSEWHERE, "POST": OPEN_NO_METHOD},
    "admin/password_change/done/": {"GET": admin(), "POST": admin(405)},
    "admin/autocomplete/": {"GET": admin(403), "POST": admin(405)},
    "admin/jsi18n/": {"GET": admin(), "POST": admin(405)},
    "admin/r/<path:content_type_id>/<path:object_id>/": {"GET": admin(404), "POST": admin(404)},
    "admin/accounts/user/<id>/password/": {"GET": admin(), "POST": admin()},
    "admin/^(?P<app_label>accounts|account|knox|auth|events|purchases|reports)/$": {
        "GET": admin(),
        "POST": admin(),
    },
    "admin/(?P<url>.*)$": {"GET": admin(404), "POST": admin(404)},
}


def _admin(model: str, rows: dict[str, dict[str, Row]]) -> None:
    PAGES.update({f"admin/{model}/{suffix}": methods for suffix, methods in rows.items()})


_admin("purchases/purchase", ADMIN_READ_ONLY)
_admin("events/event", ADMIN_READ_ONLY)
_admin("reports/report", ADMIN_READ_ONLY)
_admin("auth/group", ADMIN_MODEL)
_admin("account/emailaddress", ADMIN_MODEL)
# Tokens are made and revoked, never changed.
_admin(
    "knox/authtoken",
    ADMIN_MODEL | {"<path:object_id>/change/": {"GET": admin(), "POST": admin(403)}},
)
# Accounts are deactivated, never deleted.
_admin(
    "accounts/user",
    ADMIN_MODEL | {"<path:object_id>/delete/": {"GET": admin(403), "POST": admin(403)}},
)


def _by_actor(row: Row) -> Row:
    return {actor: row.get(actor, row["default"]) for actor in ACTORS}


def _sent(route: str, row: Row) -> Row:
    """Return the row of a form: whom a page sends to the sign-in is refused what it sends."""
    if route.startswith("admin/"):
        signed_in: tuple[str, ...] = ("admin",)
    else:
        signed_in = ("owner", "other", *ROLE_ACTORS)
    return row | {
        actor: 403 if status == 302 and actor not in signed_in else status
        for actor, status in _by_actor(row).items()
    }


PAGES = {
    route: methods
    # The last one starts the sign-in anew, whoever comes without a code under way.
    if route in ("accounts/logout/", "admin/logout/", "accounts/login/code/confirm/")
    else methods | {"POST": _sent(route, methods["POST"])}
    for route, methods in PAGES.items()
}

# What a socket is told: `hello`, or the code that it is closed with.
NOT_SIGNED_IN = dict.fromkeys(SIGNED_OUT, "4401")
TO_ALL = {"default": "hello", **NOT_SIGNED_IN}
TO_READERS = {"default": "4403", **dict.fromkeys(READERS, "hello"), **NOT_SIGNED_IN}
SOCKETS: dict[str, dict[str, str]] = {
    "ws/purchases/?scope=mine": TO_ALL,
    "ws/purchases/?scope=all": TO_READERS,
    "ws/events/?scope=mine&types=*": TO_ALL,
    "ws/events/?scope=all": TO_READERS,
}

# --- What there is --------------------------------------------------------------------------


def _routes(patterns: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
        else:
            yield route, pattern


# Of two patterns for one route the first is the one that answers.
ROUTES = dict(reversed([*_routes(get_resolver().url_patterns)]))
ROWS = API | PAGES
OTHER_METHODS = ("PUT", "PATCH", "DELETE")


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert set(ROUTES) - set(ROWS) == set(), "routes without a row"
    assert set(ROWS) - set(ROUTES) == set(), "rows without a route"
    for route, methods in ROWS.items():
        assert set(methods) == {"GET", "POST"}, route
        assert all(set(row) <= {"default", *ACTORS} for row in methods.values()), route
    assert {row.partition("?")[0] for row in SOCKETS} == {
        str(pattern.pattern) for pattern in websocket_urlpatterns
    }


def test_every_operation_of_the_schema_has_a_row_and_every_api_row_an_operation() -> None:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    operations = {
        (path.lstrip("/"), method.upper())
        for path, methods in paths.items()
        for method in methods
        if method in ("get", "post", "put", "patch", "delete")
    }
    rows = {
        (re.sub(r"<str:(\w+)>", r"{\1}", route), method)
        for route, methods in API.items()
        if not route.startswith("^scalable-shop-cm-server/")
        for method, row in methods.items()
        if 405 not in row.values()
    }
    assert operations == rows


# --- One owner's objects, and the callers ---------------------------------------------------


@dataclass
class World:
    """Who there is, and what is the owner's."""

    users: dict[str, User]
    tokens: dict[str, str]
    sessions: dict[str, str]
    purchase: Purchase
    report: Report
    paths: dict[str, str] = field(default_factory=dict)

    def client(self, actor: str, *, api: bool) -> Client:
        """Return a client with the actor's credential; take away what the actor has lost."""
        if actor == "anonymous":
            return Client()
        owner = self.users["owner"]
        if actor == "deactivated":
            User.objects.filter(pk=owner.pk).update(is_active=False)
        if api:
            who = actor if actor in self.tokens else "owner"
            if actor == "revoked":
                AuthToken.objects.filter(user=owner).delete()
            return Client(headers={"Authorization": f"Token {self.tokens[who]}"})
        key = self.sessions[actor if actor in self.sessions else "owner"]
        if actor == "revoked":
            Session.objects.filter(session_key=key).delete()
        client = Client()
        client.cookies[settings.SESSION_COOKIE_NAME] = key
        return client

    def state(self) -> tuple[Any, ...]:
        """Return what nobody but the owner, client programs and admins may change."""
        owner = self.users["owner"]
        return (
            list(Purchase.objects.filter(customer=owner).values_list("pk", flat=True)),
            list(Report.objects.filter(requested_by=owner).values_list("pk", "status")),
            User.objects.filter(pk=owner.pk).values_list("email", "password", "is_staff").get(),
            list(EmailAddress.objects.filter(user=owner).values_list("email", "verified")),
            list(User.objects.filter(is_staff=True).values_list("pk", flat=True)),
            list(User.objects.filter(is_client=True).values_list("pk", flat=True)),
            list(User.objects.values_list("pk", "role_permissions").exclude(role_permissions=0)),
        )


PASSWORD = "orchid-lamp-42"


class Storage(DocumentStorage):
    """Leaves no file open, as many a test reads the headers of an answer only."""

    def read(self, name: str) -> IO[bytes]:
        with super().read(name) as file:
            return BytesIO(file.read())


@pytest.fixture
def world(db: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    monkeypatch.setattr(
        settings, "PASSWORD_HASHERS", ["django.contrib.auth.hashers.MD5PasswordHasher"]
    )
    storage = Storage("file", tmp_path, {})
    monkeypatch.setattr(downloads, "store", storage)
    monkeypatch.setattr(celery_app, "send_task", lambda *args, **options: None)
    users, tokens, sessions = {}, {}, {}
    for name in ("owner", "other", *ROLE_ACTORS):
        email = f"{name}@example.com"
        user = User(username=name, email=email, userid=f"id-{name}")
        user.set_password(PASSWORD)
        user.is_client = name == "client"
        user.is_staff = user.is_superuser = name == "admin"
        if name in ROLES and not (user.is_client or user.is_staff):
            user.give_roles([name])
        user.save()
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        users[name], tokens[name] = user, AuthToken.objects.create(user)[1]
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        sessions[name] = str(session.session_key)
    owner = users["owner"]
    purchase = Purchase.objects.create(
        customer=owner,
        recorded_by=owner,
        item=SECRET,
        price=Decimal(5),
        currency="EUR",
        timestamp=datetime(2024, 5, 31, tzinfo=UTC),
        dedupe_key=uuid.uuid4(),
    )
    Event.objects.create(
        position=1, key=purchase.pk, type=1, customer=owner, at=purchase.received_at
    )
    report = Report.objects.create(
        kind="statement",
        requested_by=owner,
        since=date(2024, 5, 1),
        until=date(2024, 5, 31),
        status="sent",
        rendered_at=timezone.now(),
        emailed_at=timezone.now(),
        file=storage.save("owner.pdf", ContentFile(f"%PDF {SECRET}".encode())),
    )
    report.refresh_from_db()
    address = EmailAddress.objects.get(user=owner)
    objects = {
        "purchases/purchase": purchase.pk,
        "events/event": 1,
        "reports/report": report.pk,
        "auth/group": Group.objects.create(name="a group").pk,
        "account/emailaddress": address.pk,
        "knox/authtoken": AuthToken.objects.get(user=owner).digest,
        "accounts/user": owner.pk,
    }
    paths = {}
    for route in ROUTES:
        model = "/".join(route.split("/")[1:3])
        id = purchase.pk if route.startswith("api/v1/purchases/") else report.pk
        path = route.replace("<path:content_type_id>/<path:object_id>", f"1/{owner.pk}")
        path = path.replace("<path:object_id>", str(objects.get(model)))
        path = path.replace("<str:id>", str(id)).replace("<id>", str(owner.pk))
        path = path.replace("<str:username>", "owner").replace("^scalable-shop", "scalable-shop")
        path = path.replace(
            "^confirm-email/(?P<key>[-:\\w]+)/$",
            f"confirm-email/{EmailConfirmationHMAC(address).key}/",
        )
        path = path.replace(
            "^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
            f"password/reset/key/{user_pk_to_url_str(owner)}-wrong-key/",
        )
        path = re.sub(r"\^\(\?P<app_label>.*\)/\$$", "purchases/", path)
        path = path.replace("(?P<url>.*)$", "nothing-here")
        assert not re.search(r"[<>^$(]", path), path
        paths[route] = "/" + path
    return World(users, tokens, sessions, purchase, report, paths)


def _body(route: str, actor: str) -> dict[str, Any]:
    """Return the keyword arguments of a POST: JSON for the API, a form for pages."""
    if route not in API:
        forms = {
            "reports/": {"kind": "statement", "since": "2024-05-01", "until": "2024-05-31"},
            "accounts/login/": {"login": "owner", "password": "wrong"},
        }
        return {"data": forms.get(route, {"post": "yes"} if "delete" in route else {})}
    purchase = {"username": "owner", "userid": "id-owner", "price": "3.50", "item": "theirs"}
    bodies: dict[str, Any] = {
        "api/v1/purchases/": purchase,
        "api/v1/purchases/bulk/": [purchase],
        "api/v1/accounts/": {
            "username": f"new-{actor}",
            "email": f"new-{actor}@example.com",
            "password": PASSWORD,
        },
        "api/v1/auth/token/": {"username": "owner", "password": PASSWORD},
        "api/v1/reports/": {"kind": "statement", "since": "2024-05-01", "until": "2024-05-31"},
    }
    body = purchase if route.endswith("buy") else bodies.get(route, {})
    return _json(body)


def _json(body: Any) -> dict[str, Any]:
    return {"data": json.dumps(body), "content_type": "application/json"}


def _request(world: World, route: str, method: str, actor: str) -> tuple[int, bytes, str]:
    cache.clear()
    client = world.client(actor, api=route in API)
    arguments = _body(route, actor) if method != "GET" else {}
    response: Any = (
        client.generic(method, world.paths[route])
        if method in OTHER_METHODS
        else getattr(client, method.lower())(world.paths[route], **arguments)
    )
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return response.status_code, content, response.get("Location", "")


def _tried(world: World, route: str, method: str, actor: str) -> tuple[int, bytes, str]:
    """Make the request, check that nothing of the owner's leaked or changed, and take it back."""
    before = world.state()
    savepoint = transaction.savepoint()
    status, content, location = _request(world, route, method, actor)
    if actor not in ("owner", "client", "admin") and not route.endswith("auth/token/"):
        User.objects.filter(pk=world.users["owner"].pk).update(is_active=True)
        assert world.state() == before, f"{actor} changed what is the owner's"
    transaction.savepoint_rollback(savepoint)
    if actor not in ("owner", *READERS):
        assert SECRET.encode() not in content, f"{actor} saw the owner's purchase"
        assert str(world.purchase.pk).encode() not in content
        if "confirm-email" not in route:
            assert b"owner@example.com" not in content, f"{actor} saw the owner's address"
    return status, content, location


@pytest.mark.parametrize("route", sorted(ROWS))
def test_status(world: World, route: str) -> None:
    for method, row in ROWS[route].items():
        expected = _by_actor(row)
        found, locations = {}, {}
        for actor in ACTORS:
            found[actor], _, locations[actor] = _tried(world, route, method, actor)
        assert found == expected, method
        # Nobody is ever sent to another site.
        assert not [place for place in locations.values() if place and not place.startswith("/")]
        assert not [place for place in locations.values() if place.startswith("//")]


def test_methods_that_no_route_takes_change_nothing(world: World) -> None:
    before = world.state()
    for route in sorted(ROWS):
        for method in OTHER_METHODS:
            savepoint = transaction.savepoint()
            status, _, _ = _request(world, route, method, "owner")
            # Some of the pages that Django brings answer any method as they answer GET.
            assert status in ((401, 405) if route in API else (200, 302, 403, 404, 405, 503))
            assert world.state() == before, (method, route)
            transaction.savepoint_rollback(savepoint)


@pytest.mark.parametrize("route", sorted(route for route in API if "<" in route))
def test_what_is_somebody_elses_looks_like_what_is_not_there(world: World, route: str) -> None:
    """The answer about another's object is the answer about no object, byte for byte."""
    client = world.client("other", api=True)
    theirs = client.get(world.paths[route])
    nothing = client.get(
        world.paths[route]
        .replace(str(world.purchase.pk), str(uuid.uuid4()))
        .replace(str(world.report.pk), str(uuid.uuid4()))
        .replace("/owner", "/nobody")
    )
    assert (theirs.status_code, theirs.content) == (404, nothing.content)


def test_lists_exports_and_events_hold_only_what_is_the_callers(world: World) -> None:
    routes = [
        "api/v1/purchases/",
        "api/v1/purchases/export.csv",
        "api/v1/purchases/export.jsonl",
        "api/v1/events/",
        "api/v1/reports/",
        "purchases/",
        "reports/",
        "",
    ]
    for route in routes:
        for query in ("", "?username=owner", "?scope=mine"):
            for actor in ("owner", "other", "client", "author", "operator"):
                if actor == "client" and "reports" in route:
                    continue
                response: Any = world.client(actor, api=route in API).get(
                    world.paths[route] + query
                )
                content = (
                    b"".join(response.streaming_content) if response.streaming else response.content
                )
                key = world.report.pk if "reports" in route else world.purchase.pk
                held = str(key).encode() in content or SECRET.encode() in content
                assert held is (actor == "owner"), (route, query, actor)


@pytest.mark.parametrize("actor", READERS)
def test_lists_and_events_show_everybodys_to_whoever_may_read_that(
    world: World, actor: str
) -> None:
    for route in ("api/v1/purchases/", "api/v1/events/", "api/v1/reports/", "purchases/"):
        key = world.report.pk if "reports" in route else world.purchase.pk
        answer = world.client(actor, api=route in API).get(world.paths[route])
        assert str(key) in answer.text or SECRET in answer.text, route


def _rules() -> Iterator[tuple[str, str, Rule]]:
    for route in API:
        for method, rule in (required_by(ROUTES[route].callback) or {}).items():
            yield route, method, rule


def test_every_route_declares_what_it_needs() -> None:
    undeclared = [route for route, each in ROUTES.items() if required_by(each.callback) is None]
    assert undeclared == []
    declared = {(route, method) for route, method, _ in _rules()}
    rows = {
        (route, method)
        for route, methods in API.items()
        for method, row in methods.items()
        if 405 not in row.values()
    }
    assert declared == rows
    for route in ROUTES:
        for rule in (required_by(ROUTES[route].callback) or {}).values():
            # No token opens a page.
            assert route in API or CredentialKind.TOKEN not in rule.credentials, route


def test_a_token_without_what_a_route_needs_is_refused_and_told_what_that_is(world: World) -> None:
    """The account may do everything; it is the token that may not."""
    client = world.client("admin", api=True)
    tried = 0
    for route, method, rule in _rules():
        if rule.permission is None:
            continue
        tried += 1
        arguments = _body(route, "admin") if method == "POST" else {}
        send = getattr(client, method.lower())
        _narrow(world, "admin", int(ALL) & ~sufficient(rule.permission))
        answer = send(world.paths[route], **arguments)
        assert (answer.status_code, answer.get("Accepted-Permissions")) == (
            403,
            rule.permission.code,
        ), route
        _narrow(world, "admin", sufficient(rule.permission) | Permission.PURCHASES_READ_ALL)
        savepoint = transaction.savepoint()
        assert send(world.paths[route], **arguments).status_code < 300, route
        transaction.savepoint_rollback(savepoint)
    assert tried > 15


def _narrow(world: World, actor: str, mask: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE knox_authtoken SET permissions = %s WHERE user_id = %s",
            [mask, world.users[actor].pk],
        )


def test_what_needs_everybodys_says_so(world: World) -> None:
    """On routes that the caller may use for what is its own."""
    other = world.client("other", api=True)
    sales = {"kind": "sales", "since": "2024-05-01", "until": "2024-05-31"}
    asked = [
        (other.get("/api/v1/events/?scope=all"), "purchases:read_all"),
        (other.post("/api/v1/reports/", **_json(sales)), "reports:write_all"),
        (other.post("/buy", **_body("buy", "other")), "purchases:write_all"),
        (world.client("other", api=False).get("/live/"), "purchases:read_all"),
        (world.client("other", api=False).get("/admin/login/"), "accounts:admin"),
    ]
    for answer, accepted in asked:
        assert (answer.status_code, answer.get("Accepted-Permissions")) == (403, accepted)


def test_staff_without_rights_enters_the_admin_and_changes_nothing_there(world: World) -> None:
    staff = world.users["admin"]
    User.objects.filter(pk=staff.pk).update(is_superuser=False)
    for model in ("auth/group", "account/emailaddress", "knox/authtoken", "accounts/user"):
        for suffix in ("", "add/", "<path:object_id>/change/", "<path:object_id>/delete/"):
            route = f"admin/{model}/{suffix}"
            for method in ("GET", "POST"):
                assert _tried(world, route, method, "admin")[0] == 403, (method, route)


# --- Sockets --------------------------------------------------------------------------------


async def _socket(url: str, token: str | None) -> str:
    headers = {"Authorization": f"Token {token}"} if token else {}
    async with connect(url, additional_headers=headers) as ws:
        try:
            return str(json.loads(await asyncio.wait_for(ws.recv(), 10))["type"])
        except ConnectionClosed:
            return str(ws.close_code)


class Browser:
    """A session on the running site, as a browser has it."""

    def __init__(self, system: System) -> None:
        self.http = httpx.Client(base_url=system.url, timeout=20)

    def post(self, path: str, **form: str) -> httpx.Response:
        """Send a form from its own page."""
        self.http.get(path)
        form["csrfmiddlewaretoken"] = self.http.cookies[f"csrftoken_{self.http.base_url.port}"]
        return self.http.post(path, data=form, headers={"Referer": str(self.http.base_url)})

    def sign_in(self, username: str, password: str) -> None:
        answer = self.post("/accounts/login/", login=username, password=password)
        assert answer.status_code == 302, answer.text


@pytest.mark.system
async def test_sockets(system: System) -> None:
    """The deactivated account is signed up and deactivated from outside, as staff would do it."""
    name = f"gone-{uuid.uuid4().hex[:8]}"
    account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    assert system.request("POST", "/api/v1/accounts/", account).status == 201
    signed_in = system.request(
        "POST", "/api/v1/auth/token/", {"username": name, "password": PASSWORD}
    )
    tokens: dict[str, str | None] = {
        "anonymous": None,
        "owner": system.token("joe"),
        "other": system.token("ann"),
        "client": system.token("till"),
        "admin": system.token("staff"),
        "finance": system.token("fin"),
        "support": system.token("eve"),
        "revoked": system.token("joe"),
        "deactivated": signed_in.json()["token"],
    }
    assert await _socket(system.ws_url, tokens["deactivated"]) == "hello"
    assert system.request("POST", "/api/v1/auth/logout/", token=tokens["revoked"]).status == 204
    browser = Browser(system)
    browser.sign_in("staff", "demo-staff")
    listed = browser.http.get("/admin/accounts/user/", params={"q": name}).text
    id = re.findall(r"/admin/accounts/user/(\d+)/change/", listed)[0]
    done = browser.post(
        "/admin/accounts/user/", action="deactivate", _selected_action=id, index="0"
    )
    assert done.status_code == 302
    browser.http.close()
    for row, expected in SOCKETS.items():
        found = {
            actor: await _socket(f"ws://127.0.0.1:{system.port}/{row}", token)
            for actor, token in tokens.items()
        }
        assert found == {actor: expected.get(actor, expected["default"]) for actor in tokens}, row
