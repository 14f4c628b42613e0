"""Fixtures of the whole suite. Its PostgreSQL and Valkey are started by ``tests/servers.py``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shop.core.garbage import collect_rarely
from tests import template
from tests.system import System, running

# `make test-stack` runs the tests of the stack of containers.
collect_ignore = ["tests/stack"]


def pytest_collection_finish() -> None:
    """Look for garbage as rarely as the web process, because 2 000 modules are loaded by now."""
    collect_rarely()


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system on servers of its own, shared by the tests of a session."""
    folder: Path = tmp_path_factory.mktemp("system") / "data"
    # Sockets are checked more often here, so that tests need not wait.
    with running(folder, FEED_CREDENTIALS_SECONDS="2", CAPTCHA="pages") as started:
        yield started


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Copy the database of tests from the one that is migrated already, if there is one."""
    from django.db import connection

    if template.is_there():
        connection.settings_dict["TEST"]["TEMPLATE"] = connection.settings_dict["NAME"]


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Return ``True``: the servers are deleted as a whole, so their databases need not be."""
    return True


@pytest.fixture(scope="session", autouse=True)
def _quickly_emptied() -> Iterator[None]:
    """Delete the rows that a test has committed, where Django would truncate all tables.

    To give 150 tables new files, and to make all permissions anew, takes longer than most tests.
    """
    from django.db import connections, transaction
    from django.test import TransactionTestCase

    kept = {"auth_permission", "django_content_type"}

    def empty(test: TransactionTestCase) -> None:
        for name in test._databases_names(include_mirrors=False):  # type: ignore[attr-defined]
            connection = connections[name]
            tables = connection.introspection.django_table_names(
                only_existing=True, include_views=False
            )
            deletes = [
                f"DELETE FROM {connection.ops.quote_name(table)}" for table in {*tables} - kept
            ]
            with transaction.atomic(name), connection.cursor() as cursor:
                # No trigger refuses or repeats it, not even those of keys.
                cursor.execute("SET LOCAL session_replication_role = replica")
                cursor.execute("; ".join(deletes))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_chain_of_middleware() -> Iterator[None]:
    """Let the clients of tests share the middleware, as the requests of a site do.

    Each client would make its own, which takes longer than many a request. Middleware reads some
    settings when it is made, so the chain is made anew after a change of settings.
    """
    from django.core.signals import setting_changed
    from django.test.client import ClientHandler

    made: dict[str, Any] = {}
    load = ClientHandler.load_middleware

    def forget(**_: Any) -> None:
        made.clear()

    def share(handler: ClientHandler) -> None:
        if not made:
            load(handler)
            made.update(vars(handler))
            del made["enforce_csrf_checks"]
        vars(handler).update(made)

    setting_changed.connect(forget)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClientHandler, "load_middleware", share)
        yield
    setting_changed.disconnect(forget)


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    """Empty the cache and what the process remembers, so that no test meets those of another."""
    from django.core.cache import cache

    from accounts.providers import discovery
    from billing import presence
    from insight import remembered
    from operations import forecasts
    from quizzes.answering import definitions
    from quizzes.funnel import limits, viewing

    cache.clear()
    for module in (discovery, presence, remembered, forecasts):
        module.forget()
    limits.forget_all()
    # Each test has its own quizzes under the same names.
    for kept in (definitions._definitions, definitions._versions, definitions._quizzes):
        kept.clear()
    viewing._waiting.clear()


@pytest.fixture
def patient(transactional_db: None) -> Iterator[None]:
    """Let statements of this process wait for a minute.

    Many who lock the same rows on a busy machine wait for longer than a site lets its clients wait.
    """
    from django.db import connection

    from shop.core.database import connection_class

    options = connection.settings_dict["OPTIONS"]
    minute = {
        "options": f"{options['options']} -c statement_timeout=60s -c lock_timeout=60s",
        "pool": options["pool"] | {"timeout": 60, "connection_class": connection_class(60)},
    }
    before = {name: options[name] for name in minute}
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    options.update(minute)
    yield
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    options.update(before)


class _SiteSettings:
    """Settings at run time as attributes: ``site_settings.quota_sockets = 2`` is in force at once.

    Nothing is checked, so a test may set what no site can.
    """

    def __getattr__(self, name: str) -> Any:
        from shop.core.site_settings.kinds import in_force

        return in_force.values[name]

    def __setattr__(self, name: str, value: Any) -> None:
        from shop.core.site_settings.kinds import in_force

        assert name in in_force.values, name
        in_force.values = {**in_force.values, name: value}


@pytest.fixture
def site_settings() -> Iterator[Any]:
    """Return the settings at run time, to be changed until the test ends."""
    from shop.core import site_settings as core

    before = core.current()
    yield _SiteSettings()
    core.install(before.version, before.stored)
