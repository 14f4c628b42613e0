"""Owners of webhooks, a receiver, and a deliverer for the tests."""

import ipaddress
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client

from accounts.models import Token, User
from events.tests.log import number
from people.folding import fold
from webhooks import deliverer
from webhooks.tests.receiver import Receiver, receiving

Call = Callable[..., Any]


class Api:
    """A client of the API with a token of an account."""

    def __init__(self, name: str, *roles: str, **fields: Any) -> None:
        self.user = User.objects.create_user(
            name, f"{name}@example.com", "x", userid=f"id-{name}", **fields
        )
        if roles:
            User.objects.filter(pk=self.user.pk).update(roles=sorted(roles))
            fold([self.user.pk])
            self.user.refresh_from_db()
        token = Token.objects.create(user=self.user)[1]
        self.client = Client(headers={"Authorization": f"Token {token}"})

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.client.generic(
            method,
            f"/api/v1/{path}",
            b"" if body is None else json.dumps(body),
            "application/json",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    def hook(self, url: str, **fields: Any) -> Any:
        """Make a webhook for the events from now on; return the answer's body."""
        body = {"url": url, "events": ["purchase.recorded"]} | fields
        answer = self("POST", "webhooks/", body)
        assert answer.status_code == 201, answer.content
        return answer.json()

    def buy(self, count: int = 1) -> None:
        """Record purchases, which get their positions at once."""
        for _ in range(count):
            body = {"item": "tea", "quantity": 1, "price": "1.10"}
            answer = self("POST", "purchases/", body, Idempotency_Key=str(uuid4()))
            assert answer.status_code == 201, answer.content
        with transaction.atomic():
            number(limit=count)


@pytest.fixture(autouse=True)
def _allowed(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.WEBHOOK_ALLOW = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.fixture
def joe(db: None) -> Api:
    return Api("joe")


@pytest.fixture
def ann(db: None) -> Api:
    return Api("ann")


@pytest.fixture
def boss(db: None) -> Api:
    return Api("boss", is_staff=True, is_superuser=True)


@pytest.fixture
def operator(db: None) -> Api:
    return Api("operator", "operator")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@contextmanager
def delivering(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a deliverer in a thread."""
    monkeypatch.setattr(deliverer, "IDLE_SECONDS", 0.05)
    stopping = threading.Event()
    thread = threading.Thread(target=deliverer.deliver, args=(stopping,))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
