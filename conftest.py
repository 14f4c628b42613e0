"""Fixtures of the whole suite. Its PostgreSQL and Valkey are started by ``tests/servers.py``."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import System, running

# `make test-stack` runs the tests of the stack of containers.
collect_ignore = ["tests/stack"]


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system on servers of its own, shared by the tests of a session."""
    folder: Path = tmp_path_factory.mktemp("system") / "data"
    # Sockets are checked more often here, so that tests need not wait.
    with running(folder, FEED_CREDENTIALS_SECONDS="2", CAPTCHA="pages") as started:
        yield started


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    """Empty the cache, so that no test meets the rate limits of another."""
    from django.core.cache import cache

    from billing import presence

    cache.clear()
    presence.forget()
