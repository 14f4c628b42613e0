"""Print as JSON what the site with the toys shows. Runs as the application's role."""

import json
import logging
from io import StringIO
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import get_resolver

from accounts.models import User
from accounts.rules import Rule, required_by
from events.followers import declared_followers, follow
from events.services import emit
from events.tests.log import number
from shop.celery import app

from ...events import TOY_MADE
from ...models import Toy


def routes(patterns: Any, prefix: str = "") -> Any:
    """Yield every route and its view."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route, pattern.callback


def refused(statement: str) -> str:
    """Return the SQLSTATE with which PostgreSQL refuses a statement."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError as error:
        return str(getattr(error.__cause__, "sqlstate", ""))
    return ""


def verified() -> str:
    """Return what `verify_ledger` prints."""
    said = StringIO()
    try:
        call_command("verify_ledger", stdout=said)
    except CommandError as error:
        said.write(str(error))
    return said.getvalue()


def needed(view: Any) -> list[Rule]:
    """Return what a view declares to need."""
    return list((required_by(view) or {}).values())


async def call(scope: dict[str, Any], said: list[Any]) -> None:
    """Let the ASGI application answer a websocket that has just connected."""
    from shop.asgi import application

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        said.append(message["type"])

    await application(scope | {"client": ("127.0.0.1", 1)}, receive, send)


def toybox() -> Any:
    """Return the health of the app's dependency."""
    return Client().get("/readyz").json()["dependencies"]["toybox"]


class Command(BaseCommand):
    def handle(self, *args: Any, **options: Any) -> None:
        settings.ALLOWED_HOSTS = ["testserver"]
        seen: dict[str, Any] = {"health before": toybox()}
        with transaction.atomic():
            Toy.objects.create(name="horse")
            emit(TOY_MADE, data={"name": "horse"})
        users = {
            name: User.objects.create(username=name, userid=name)
            for name in ("customer", "analyst")
        }
        users["analyst"].give_roles(["analyst"])
        users["analyst"].save()
        for name in ("nobody", *users):
            client = Client()
            if name in users:
                client.force_login(users[name], backend="django.contrib.auth.backends.ModelBackend")
            answer, page = client.get("/api/v1/toys/"), client.get("/toys/")
            seen[name] = {
                "api": answer.status_code,
                "needed": answer.headers.get("Accepted-Permissions"),
                "page": page.status_code,
                "text": page.content.decode(),
                "navigation": int(b'href="/toys/"' in client.get("/").content),
            }
        types = client.get("/api/v1/events/types/").json()
        seen["types"] = [type["type"] for type in types if type["type"] == "toy.made"]
        number()
        events = client.get("/api/v1/events/?types=toy.made").json()["events"]
        seen["events"] = [event["data"] for event in events]
        # The first turn makes the follower's row, the second applies the events.
        follow(declared_followers()["toys"])
        follow(declared_followers()["toys"])
        seen["toys"] = client.get("/api/v1/toys/").json()
        seen["health"] = toybox()
        seen["metrics"] = Client().get("/metrics").content.decode()
        seen["verified"] = verified()
        seen["refused"] = [
            refused("UPDATE toys_toy SET name = ''"),
            refused("DELETE FROM toys_toy"),
        ]
        seen["static"] = bool(finders.find("toys/toys.js"))
        seen["logs"] = logging.getLogger("toys.anything").isEnabledFor(logging.INFO)
        seen["rules"] = {
            route: sorted(
                str(rule.permission and rule.permission.code)
                for rule in (required_by(view) or {}).values()
            )
            for route, view in routes(get_resolver().url_patterns)
            if "toys/" in route and not route.startswith("admin/")
        }
        seen["schema"] = (
            Client().get("/documentation/openapi.json").json()["paths"]["/api/v1/toys/"]
        )
        said: list[Any] = []
        scope = {"path": "/ws/toys/", "type": "websocket", "headers": [], "query_string": b""}
        async_to_sync(call)(scope, said)
        seen["socket"] = said
        app.loader.init_worker()
        app.finalize()
        seen["beat"] = app.conf.beat_schedule["wind-toys"]
        seen["task"] = "toys.wind" in app.tasks
        self.stdout.write(json.dumps(seen))
