"""What is in force in a process: the environment, then the database, then the default."""

import logging
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from accounts.models import User
from preferences import snapshot
from preferences.models import Change
from preferences.services import settings_change
from shop.core import process
from shop.core import site_settings as core
from shop.core.site_settings.general import DEFAULT_CURRENCY, LOG_LEVEL, SITE_NAME

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _restored(site_settings: Any) -> None:
    """Put back what was in force."""


def test_reading_costs_no_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert SITE_NAME.value == "Scalable Shop"


def test_a_stored_value_of_an_old_type_never_stops_a_start(caplog: Any) -> None:
    Change.objects.create(version=1, name="site_name", value=["a", "list"])
    Change.objects.create(version=1, name="read_only", value="maybe")
    Change.objects.create(version=1, name="gone_in_this_version", value=1)
    Change.objects.create(version=1, name="default_currency", value="USD")
    assert snapshot.refresh(process.Process("web")) <= 5
    assert (core.version(), SITE_NAME.value, DEFAULT_CURRENCY.value) == (1, "Scalable Shop", "USD")
    assert core.current().unfit.keys() == {"site_name", "read_only"}
    assert "site_setting.unfit" in caplog.text
    assert SITE_NAME.value == "Scalable Shop"


def test_the_environment_wins_and_a_wrong_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Change.objects.create(version=1, name="log_level", value="ERROR")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    core.fixed.cache_clear()
    snapshot.load()
    assert LOG_LEVEL.value == "DEBUG"
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    core.fixed.cache_clear()
    with pytest.raises(ImproperlyConfigured, match="LOG_LEVEL: Give one of DEBUG"):
        core.load_declarations()
    monkeypatch.delenv("LOG_LEVEL")
    core.fixed.cache_clear()


def test_a_refresh_reads_only_the_version_where_nothing_has_changed(
    django_assert_num_queries: Any,
) -> None:
    here = process.Process("web")
    snapshot.refresh(here)
    with django_assert_num_queries(1):
        snapshot.refresh(here)
    Change.objects.create(version=7, name="site_name", value="Corner")
    with django_assert_num_queries(2):
        snapshot.refresh(here)
    assert (core.version(), SITE_NAME.value) == (7, "Corner")


def test_a_rolled_back_change_is_in_force_nowhere(django_capture_on_commit_callbacks: Any) -> None:
    staff = User.objects.create_user("boss", "boss@example.org", "a-long-password")
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        settings_change(actor=staff, changes={"site_name": "Corner"})
        transaction.set_rollback(True)
    assert (core.version(), SITE_NAME.value) == (0, "Scalable Shop")
    assert not Change.objects.exists()


def test_each_part_has_its_own_level(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("purchases")
    monkeypatch.setattr(process, "current", lambda: process.Process("task"))
    Change.objects.create(version=1, name="log_level", value="WARNING")
    Change.objects.create(version=1, name="log_level_worker", value="DEBUG")
    snapshot.load()
    assert logger.level == logging.DEBUG
    monkeypatch.setattr(process, "current", lambda: process.Process("relay"))
    snapshot.load()
    assert logger.level == logging.WARNING
    monkeypatch.undo()
