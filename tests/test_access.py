"""The access table: every route of the URL configuration and the schema, for every kind of caller.

The routes come from the URL configuration, the operations from ``docs/openapi.json``. A route
without a row in its app's ``tests/access.py`` fails, and so does a row without a route. All objects
behind the routes belong to one owner.
"""

import json
import re
import uuid
from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import Any
from urllib.parse import quote
from zlib import crc32

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client, RequestFactory

from accounts.models import User
from accounts.permissions import ALL, CUSTOMER, Permission, allows, sufficient
from accounts.rules import PROGRAM, CredentialKind, Rule, required_by
from shop.core.errors import Forbidden
from tests.access import ACTORS, READERS, ROLE_ACTORS, SECRET, Row, Rows
from tests.system import ROOT
from tests.world import DECLARED, ROUTES, World, world

__all__ = ["world"]

# --- The table ------------------------------------------------------------------------------


API: Rows = {}
PAGES: Rows = {}
BODIES: dict[str, Any] = {}
for each in DECLARED.values():
    API |= each.api
    PAGES |= each.pages
    BODIES |= each.bodies


def _by_actor(row: Row) -> Row:
    return {actor: row.get(actor, row["default"]) for actor in ACTORS}


def _sent(route: str, row: Row) -> Row:
    """Return the row of a form: actors that its page redirects to the sign-in get 403."""
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
    # These answer signed-out actors, too; the last ones start the sign-in anew.
    if route
    in (
        "accounts/logout/",
        "accounts/preferences/",
        "admin/logout/",
        "accounts/login/code/confirm/",
        "accounts/3rdparty/signup/",
        "accounts/2fa/authenticate/",
        "accounts/2fa/passkeys/login/",
    )
    else methods | {"POST": _sent(route, methods["POST"])}
    for route, methods in PAGES.items()
}


class _Requests:
    """A connection whose transactions are those of requests only, not the one around the test."""

    def __getattr__(self, name: str) -> Any:
        return getattr(connection, name)

    @property
    def in_atomic_block(self) -> bool:
        blocks: Any = connection.atomic_blocks
        return bool(blocks) and not blocks[-1]._from_testcase


@pytest.fixture(autouse=True)
def _entries_need_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse an entry of the audit that no transaction holds once there is none of the test."""
    monkeypatch.setattr("audit.services.connection", _Requests())


# --- What there is --------------------------------------------------------------------------


ROWS = API | PAGES
OTHER_METHODS = ("PUT", "PATCH", "DELETE")
# Customers have none of these.
FOR_FEW = {each for each in Permission if not allows(CUSTOMER, each)}


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert set(ROUTES) - set(ROWS) == set(), "routes without a row"
    assert set(ROWS) - set(ROUTES) == set(), "rows without a route"
    for route, methods in ROWS.items():
        assert {"GET", "POST"} <= set(methods) <= {"GET", "POST", *OTHER_METHODS}, route
        assert all(set(row) <= {"default", *ACTORS} for row in methods.values()), route


def test_every_operation_of_the_schema_has_a_row_and_every_api_row_an_operation() -> None:
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    operations = {
        (path.lstrip("/"), method.upper())
        for path, methods in paths.items()
        for method in methods
        if method in ("get", "post", "put", "patch", "delete")
    }
    rows = {
        (re.sub(r"<\w+:(\w+)>", r"{\1}", route), method)
        for route, methods in API.items()
        if not route.startswith("^scalable-shop-cm-server/")
        for method, row in methods.items()
        if 405 not in row.values()
    }
    assert operations == rows


def _body(route: str, actor: str, method: str = "POST") -> dict[str, Any]:
    """Return the keyword arguments of a write: JSON for the API, a form for pages."""
    key = route if method == "POST" else f"{method} {route}"
    body = BODIES.get(key, {"post": "yes"} if "delete" in route else {})
    body = body(actor) if callable(body) else body
    return _json(body) if route in API else {"data": body}


def _json(body: Any) -> dict[str, Any]:
    return {"data": json.dumps(body), "content_type": "application/json"}


def _refusal(world: World, route: str, method: str, actor: str) -> Forbidden | None:
    """Return what the route's rule, or the admin, refuses the actor with, if it does."""
    user = world.users[actor]
    if route.startswith("admin/"):
        request = RequestFactory().get(world.paths[route])
        request.user = user
        return None if admin.site.has_permission(request) else Forbidden()
    rule = (required_by(ROUTES[route].callback) or {}).get(method)
    try:
        if rule is not None and not rule.is_open:
            rule.check(user, CredentialKind.TOKEN if route in API else CredentialKind.SESSION)
    except Forbidden as error:
        return error
    return None


def _asked(world: World, route: str, method: str, row: Row) -> Iterator[tuple[str, int]]:
    """Yield the callers that make the request, with the status they get.

    A rule refuses before the view runs, and by nothing but the permissions, so of the roles that
    it refuses one makes the request. Of those for whom the route has no such method one does, and
    the admin. It is another role for each route.
    """
    alike: dict[str, list[str]] = {"refused": [], "no method": []}
    for actor, status in _by_actor(row).items():
        if actor not in ROLE_ACTORS:
            yield actor, status
        elif status == _refused(route, method) and _refusal(world, route, method, actor):
            alike["refused"].append(actor)
        elif status == 405 and actor != "admin":
            alike["no method"].append(actor)
        else:
            yield actor, status
    place = crc32(f"{method} {route}".encode())
    for actors in filter(None, alike.values()):
        actor = actors[place % len(actors)]
        yield actor, _by_actor(row)[actor]


def _refused(route: str, method: str) -> int:
    """Return the status of a signed-in caller's refusal by a rule."""
    return 302 if route.startswith("admin/") and method == "GET" else 403


def _request(world: World, route: str, method: str, actor: str) -> tuple[Any, bytes]:
    cache.clear()
    client = world.client(actor, api=route in API)
    arguments = _body(route, actor, method) if method != "GET" else {}
    response: Any = (
        client.generic(method, world.paths[route])
        if method in OTHER_METHODS and route not in API
        else getattr(client, method.lower())(world.paths[route], **arguments)
    )
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return response, content


def _tried(world: World, before: tuple[Any, ...], route: str, method: str, actor: str) -> Any:
    """Make the request, check that nothing of the owner leaked or changed, and roll back."""
    savepoint = transaction.savepoint()
    response, content = _request(world, route, method, actor)
    tried = f"{actor} {method} {route}"
    if actor not in ("owner", "client", "admin") and not route.endswith("auth/token/"):
        assert world.state() == before, f"{tried}: changed what is the owner's"
    transaction.savepoint_rollback(savepoint)
    if actor not in ("owner", *READERS):
        assert SECRET.encode() not in content, f"{tried}: saw the owner's purchase"
        # A page may name its own address, which the caller has sent.
        for path in (world.paths[route], quote(world.paths[route]), quote(world.paths[route], "")):
            content = content.replace(path.encode(), b"")
        assert str(world.purchase).encode() not in content, tried
        if "confirm-email" not in route:
            assert b"owner@example.com" not in content, f"{tried}: saw the owner's address"
    return response


# Each app's routes share a world, because every request is rolled back.
@pytest.mark.parametrize("app", DECLARED)
def test_status(world: World, app: str) -> None:
    access = DECLARED[app]
    before = world.state()
    wrong = []
    for route in access.api | access.pages:
        for method, row in ROWS[route].items():
            for actor, expected in _asked(world, route, method, row):
                answer = _tried(world, before, route, method, actor)
                status, place = answer.status_code, answer.get("Location", "")
                if status != expected:
                    wrong.append(f"{method} {route} as {actor}: {status}, not {expected}")
                refusal = _refusal(world, route, method, actor) if actor in ROLE_ACTORS else None
                needed = refusal.accepted if refusal else ""
                if needed and answer.get("Accepted-Permissions") != needed:
                    wrong.append(f"{method} {route} as {actor}: refused by something else")
                # Nobody is ever redirected to another site.
                if place and (not place.startswith("/") or place.startswith("//")):
                    wrong.append(f"{method} {route} as {actor}: leads to {place}")
    assert wrong == []


def test_methods_that_no_route_takes_change_nothing(world: World) -> None:
    before = world.state()
    for route in sorted(ROWS):
        for method in OTHER_METHODS:
            if method in ROWS[route]:
                continue
            savepoint = transaction.savepoint()
            status = _request(world, route, method, "owner")[0].status_code
            # Some of Django's pages answer any method like GET.
            assert status in ((401, 405) if route in API else (200, 302, 403, 404, 405, 503))
            assert world.state() == before, (method, route)
            transaction.savepoint_rollback(savepoint)


def test_what_is_somebody_elses_looks_like_what_is_not_there(world: World) -> None:
    """Another owner's object and a missing object get the same answer, byte for byte."""
    client = world.client("other", api=True)
    # A kind of statistics is nobody's.
    routes = [route for route in API if "<" in route and "<str:kind>" not in route]
    assert routes
    for route in routes:
        theirs = client.get(world.paths[route])
        nothing = client.get(
            world.paths[route]
            .replace(str(world.purchase), str(uuid.uuid4()))
            .replace(str(world.report), str(uuid.uuid4()))
            .replace("/owner", "/nobody")
            .replace("/id-owner", "/id-nobody")
        )
        # Where only a permission leads, nobody without it learns what there is.
        rule = (required_by(ROUTES[route].callback) or {}).get("GET")
        if rule is not None and rule.is_open:
            # A quiz is everybody's, and an attempt is reached by its secret, not by an account.
            anonymous = Client().get(world.paths[route])
            assert theirs.status_code == anonymous.status_code, route
            # Each challenge is another one.
            assert theirs.content == anonymous.content or route.endswith("challenge/"), route
            continue
        status = 404
        if rule is None:
            status = 405
        elif rule.permission in FOR_FEW or not rule.credentials & PROGRAM:
            status = 403
        assert (theirs.status_code, theirs.content) == (status, nothing.content), route


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
                key = world.report if "reports" in route else world.purchase
                held = str(key).encode() in content or SECRET.encode() in content
                assert held is (actor == "owner"), (route, query, actor)


@pytest.mark.parametrize("actor", READERS)
def test_lists_and_events_show_everybodys_to_whoever_may_read_that(
    world: World, actor: str
) -> None:
    for route in ("api/v1/purchases/", "api/v1/events/", "api/v1/reports/", "purchases/"):
        key = world.report if "reports" in route else world.purchase
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
            assert route in API or not rule.credentials & PROGRAM, route


def test_a_token_without_what_a_route_needs_is_refused_and_told_what_that_is(world: World) -> None:
    """The account may do everything, but its token may not."""
    client = world.client("admin", api=True)
    tried = 0
    for route, method, rule in _rules():
        if rule.permission is None:
            continue
        tried += 1
        arguments = _body(route, "admin", method) if method != "GET" else {}
        send = getattr(client, method.lower())
        enough = reduce(or_, map(sufficient, (rule.permission, *rule.or_else)))
        _narrow(world, "admin", int(ALL) & ~enough)
        answer = send(world.paths[route], **arguments)
        assert (answer.status_code, answer.get("Accepted-Permissions")) == (
            403,
            rule.permission.code,
        ), route
        _narrow(world, "admin", sufficient(rule.permission) | Permission.PURCHASES_READ_ALL)
        savepoint = transaction.savepoint()
        answer = send(world.paths[route], **arguments)
        if rule.recent:
            # No token is a recent sign-in.
            assert answer.json()["errors"][0]["code"] == "reauthentication_required", route
        else:
            # 409 is about the state of the object, which an issued invoice never leaves. A row says
            # 400 where no JSON is right, as for a file.
            others = (409, _by_actor(ROWS[route][method])["admin"])
            assert answer.status_code < 300 or answer.status_code in others, route
        transaction.savepoint_rollback(savepoint)
    assert tried > 15


def _narrow(world: World, actor: str, mask: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE knox_authtoken SET permissions = %s WHERE user_id = %s",
            [mask, world.users[actor].pk],
        )


def test_what_needs_everybodys_says_so(world: World) -> None:
    """Routes that the caller may use for its own things."""
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
    before = world.state()
    for model in ("auth/group", "account/emailaddress", "accounts/token", "accounts/user"):
        for suffix in ("", "add/", "<path:object_id>/change/", "<path:object_id>/delete/"):
            route = f"admin/{model}/{suffix}"
            for method in ("GET", "POST"):
                assert _tried(world, before, route, method, "admin").status_code == 403, (
                    method,
                    route,
                )
