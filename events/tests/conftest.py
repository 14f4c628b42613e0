"""The toy app's declarations, without installing it."""

from collections.abc import Iterator

import pytest
from django.apps import apps

from events.types import forget_declared
from shop.core.apps import shop_apps


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Declare the toy's types beside the shop's, and its follower in their place."""
    for each in shop_apps():
        monkeypatch.setattr(each, "followers", (), raising=False)
    config = apps.get_app_config("events")
    monkeypatch.setattr(config, "event_types", "events.tests.toy.types", raising=False)
    followers = ("events.tests.toy.followers.SumFollower",)
    monkeypatch.setattr(config, "followers", followers, raising=False)
    forget_declared()
    yield
    monkeypatch.undo()
    forget_declared()
