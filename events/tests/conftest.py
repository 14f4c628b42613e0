"""The toy app's declarations, without installing it."""

from collections.abc import Iterator

import pytest
from django.apps import apps

from events.types import forget_declared


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Declare the toy's types and its follower beside the shop's."""
    config = apps.get_app_config("events")
    monkeypatch.setattr(config, "event_types", "events.tests.toy.types", raising=False)
    followers = ("events.tests.toy.followers.SumFollower",)
    monkeypatch.setattr(config, "followers", followers, raising=False)
    forget_declared()
    yield
    monkeypatch.undo()
    forget_declared()
