"""A PostgreSQL and a Valkey for each process that runs tests; a plugin of pytest.

They are started before Django reads its settings. A suite that is spread over several processes
(``pytest -n 3``) shares none of them, so that no test meets another's cache or feed.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from shop.local.pair import run_pair

_servers = ExitStack()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config):
    """Start the servers, unless this process only distributes tests to others."""
    spreads = early_config.known_args_namespace.numprocesses
    if "PYTEST_XDIST_WORKER" in os.environ or not spreads:
        # Variables of the environment, PG* included, may lead to real data.
        for name in list(os.environ):
            if name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL") or name.startswith("PG"):
                del os.environ[name]
        folder = Path(tempfile.mkdtemp(prefix="shop-"))
        pair = _servers.enter_context(run_pair(folder, throwaway=True, delete=True))
        os.environ["DATABASE_URL"] = pair.database_url
        os.environ["REDIS_URL"] = pair.redis_url
        os.environ["DATA_DIR"] = str(pair.data_dir)
    os.environ.setdefault("ENVIRONMENT", "development")
    # The tests sign in hundreds of times, and a hash of production takes a fifth of a second.
    os.environ.setdefault("PASSWORD_HASH_KIB", "64")
    return (yield)


def pytest_unconfigure():
    """Stop the servers."""
    _servers.close()
