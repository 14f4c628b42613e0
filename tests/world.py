"""One owner's objects, every kind of caller, and the path of every route."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONArray
from django.test import Client
from django.urls import URLResolver, get_resolver

from accounts.models import Token, User
from accounts.permissions import ROLES
from documents import downloads
from documents.storage import DocumentStorage
from purchases.models import Purchase
from reports.models import Report
from shop.celery import app as celery_app
from shop.core.apps import shop_apps
from shop.core.database import fetch_prepared
from tests.access import PASSWORD, ROLE_ACTORS, Access


def _declared() -> Iterator[tuple[str, Access]]:
    for config in shop_apps():
        name = f"{config.name}.tests.access"
        if find_spec(name):
            yield config.name, import_module(name).ACCESS


DECLARED = dict(_declared())
"""What each app declares, by its name."""


def _routes(patterns: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
        else:
            yield route, pattern


# Of two patterns for one route Django uses the first.
ROUTES = dict(reversed([*_routes(get_resolver().url_patterns)]))


@dataclass
class World:
    """The callers, and the owner's objects."""

    users: dict[str, User]
    tokens: dict[str, str]
    sessions: dict[str, str]
    objects: dict[str, Any]
    paths: dict[str, str] = field(default_factory=dict)

    @property
    def purchase(self) -> Any:
        """Return the id of the owner's purchase."""
        return self.objects["api/v1/purchases/"]

    @property
    def report(self) -> Any:
        """Return the id of the owner's report."""
        return self.objects["api/v1/reports/"]

    def client(self, actor: str, *, api: bool) -> Client:
        """Return a client with the actor's credential. Take away what the actor has lost."""
        if actor == "anonymous":
            return Client()
        owner = self.users["owner"]
        if actor == "deactivated":
            User.objects.filter(pk=owner.pk).update(is_active=False)
        if api:
            who = actor if actor in self.tokens else "owner"
            if actor == "revoked":
                Token.objects.filter(user=owner).delete()
            return Client(headers={"Authorization": f"Token {self.tokens[who]}"})
        key = self.sessions[actor if actor in self.sessions else "owner"]
        if actor == "revoked":
            Session.objects.filter(session_key=key).delete()
        client = Client()
        client.cookies[settings.SESSION_COOKIE_NAME] = key
        return client

    @cached_property
    def _state_query(self) -> tuple[str, Any]:
        everybody = User.objects.order_by("pk")
        columns = (
            ArraySubquery(Purchase.objects.filter(customer=OuterRef("pk")).values("pk")),
            _rows(Report.objects.filter(requested_by=OuterRef("pk")), "pk", "status"),
            _rows(EmailAddress.objects.filter(user=OuterRef("pk")), "email", "verified"),
            ArraySubquery(everybody.filter(is_staff=True).values("pk")),
            ArraySubquery(everybody.filter(is_client=True).values("pk")),
            _rows(everybody.exclude(role_permissions=0), "pk", "role_permissions"),
        )
        owner = User.objects.filter(pk=self.users["owner"].pk).order_by()
        found = owner.values_list("email", "password", "is_staff", *columns)
        return found.query.sql_with_params()

    def state(self) -> tuple[Any, ...]:
        """Return the state that only the owner, client programs and admins may change.

        It is one prepared statement, because the access table asks for it after each request.
        """
        (row,) = fetch_prepared(*self._state_query)
        return tuple(row)


def _rows(rows: QuerySet[Any], *columns: str) -> ArraySubquery:
    return ArraySubquery(rows.values(row=JSONArray(*columns)))


class Storage(DocumentStorage):
    """Storage that leaves no file open, because many tests read only the headers of an answer."""

    def read(self, name: str) -> IO[bytes]:
        with super().read(name) as file:
            return BytesIO(file.read())


@pytest.fixture
def world(db: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
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
        users[name], tokens[name] = user, Token.objects.create(user)[1]
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        sessions[name] = str(session.session_key)
    owner = users["owner"]
    objects: dict[str, Any] = {}
    for access in DECLARED.values():
        objects |= access.objects(owner)
    address = EmailAddress.objects.get(user=owner)
    paths = {}
    for route in ROUTES:
        id = next((id for start, id in objects.items() if route.startswith(start)), None)
        path = route.replace("<path:content_type_id>/<path:object_id>", f"1/{owner.pk}")
        ids = (
            r"<(path:object_id|path:item|int:pk|int:seq|str:id|uuid:id|id|str:code|str:token"
            r"|str:kind|str:rid|uuid:rid)>"
        )
        path = re.sub(ids, str(id), path).replace("<str:delivery>", str(id))
        path = re.sub("<(path|str):userid>", "id-owner", path)
        path = path.replace("<str:company>", "shop").replace("<str:number>", "1")
        path = path.replace("<str:slug>", "coffee")
        path = path.replace("<str:result>", str(objects.get("<str:result>", id)))
        path = path.replace("<str:username>", "owner").replace("<str:provider>", "test")
        path = path.replace("^scalable-shop", "scalable-shop")
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
    return World(users, tokens, sessions, objects, paths)
