"""Fixtures of the whole suite. Its PostgreSQL and Valkey are started by `tests/servers.py`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import System, running

# The stack of containers has a target of its own, `make test-stack`.
collect_ignore = ["tests/stack"]


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system on servers of its own, shared by the tests of a session."""
    folder: Path = tmp_path_factory.mktemp("system") / "data"
    # Sockets are asked more often whether they may still be open, so that tests need not wait.
    with running(folder, FEED_CREDENTIALS_SECONDS="2") as started:
        yield started


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    """Empty the cache, so that no test meets another's rate limits."""
    from django.core.cache import cache

    cache.clear()
