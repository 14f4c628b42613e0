"""Owners of webhooks, a receiver, and a deliverer for the tests."""

import ipaddress
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from events.tests.log import number
from tests import callers
from webhooks import deliverer
from webhooks.tests.receiver import Receiver, receiving

Call = Callable[..., Any]


class Api(callers.Api):
    """A client of the API with a token of a new account."""

    def __init__(self, name: str, *roles: str, **fields: Any) -> None:
        super().__init__(callers.make(name, *roles, **fields))

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
