"""A PostgreSQL and a Valkey for each process that runs tests; a plugin of pytest.

Django reads where they are before they run: they are started once the tests are collected. A suite
that is spread over several processes (``pytest -n 4``) shares none of them, so that no test meets
another's cache or feed. These processes copy one database, see ``tests/template.py``.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest

from shop.local.pair import run_pair
from shop.local.postgres import Postgres
from shop.local.valkey import Valkey
from tests import template

_servers = ExitStack()
_URLS = ("DATABASE_URL", "REDIS_URL")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config):
    """Say where the servers will be, or make the template if others will run the tests."""
    # Variables of the environment, PG* included, may lead to real data.
    for name in list(os.environ):
        if name in (*_URLS, "DATABASE_OWNER_URL") or name.startswith("PG"):
            del os.environ[name]
    if early_config.known_args_namespace.numprocesses and not _is_one_of_several():
        template.begin()
        _servers.callback(template.end)
        making = Thread(target=template.make, args=[Path(os.environ[template.VARIABLE])])
        making.start()
        _servers.callback(making.join)
    else:
        folder = Path(tempfile.mkdtemp(prefix="shop-"))
        os.environ["DATA_DIR"] = str(folder)
        for kind in (Postgres, Valkey):
            os.environ[kind.variable] = kind(folder, throwaway=True).url
    os.environ.setdefault("ENVIRONMENT", "development")
    # The tests sign in hundreds of times, and a hash of production takes a fifth of a second.
    os.environ.setdefault("PASSWORD_HASH_KIB", "64")
    return (yield)


def _is_one_of_several() -> bool:
    return "PYTEST_XDIST_WORKER" in os.environ


def pytest_collection_finish():
    """Start the servers, unless this process only distributes tests to others."""
    if "DATABASE_URL" not in os.environ:
        return
    folder = Path(os.environ["DATA_DIR"])
    template.copy(folder)
    with pytest.MonkeyPatch.context() as patch:
        # What these lead to would be taken for servers that run.
        for name in _URLS:
            patch.delenv(name)
        _servers.enter_context(run_pair(folder, throwaway=True, delete=True))


def pytest_unconfigure():
    """Stop the servers."""
    _servers.close()
