"""A stranger's app is its folder and one line of settings, and all its declarations take effect."""

import json
import os
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection

from shop.core import append_only, declarations
from shop.core.apps import NavigationEntry, ShopAppConfig, append_only_tables, shop_apps
from shop.tests.conftest import manage

TOYS = Path(__file__).with_name("toys")


@pytest.fixture
def seen(prepared: dict[str, str], tmp_path: Path) -> dict[str, Any]:
    """Return what a site with the app shows. Its database is prepared as in a deploy."""
    shutil.copytree(TOYS, tmp_path / "toys")
    (tmp_path / "with_toys.py").write_text(
        "from shop.settings import *\nINSTALLED_APPS += ['toys']\n"
    )
    environment = prepared | {
        "DJANGO_SETTINGS_MODULE": "with_toys",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(settings.BASE_DIR)]),
    }
    manage(environment | {"DATABASE_ROLE": "owner"}, "prepare_database", "--verbosity", "0")
    # It runs the system checks first, as commands do.
    looked = manage(environment, "look")
    found: dict[str, Any] = json.loads(looked.splitlines()[-1])
    return found


def test_a_new_app_touches_its_own_folder_and_one_line_of_settings(
    seen: dict[str, Any], prepared: dict[str, str]
) -> None:
    # Routes and pages, each for users with the permission.
    assert {name: seen[name]["api"] for name in ("nobody", "customer", "analyst")} == {
        "nobody": 401, "customer": 403, "analyst": 200,
    }  # fmt: skip
    assert {name: seen[name]["page"] for name in ("nobody", "customer", "analyst")} == {
        "nobody": 302, "customer": 403, "analyst": 200,
    }  # fmt: skip
    assert seen["customer"]["needed"] == "insight:read_all"
    assert seen["rules"] == {"api/v1/toys/": ["insight:read_all"], "toys/": ["insight:read_all"]}
    # The new event type, and its follower.
    assert seen["types"] == ["toy.made"]
    assert seen["events"] == [{"name": "horse"}]
    assert seen["toys"] == {"toys": ["horse", "copy"]}
    # Templates and static files.
    assert "<li>horse</li>" in seen["analyst"]["text"]
    assert "toys/toys.js" in seen["analyst"]["text"]
    assert seen["static"]
    # Websockets.
    assert seen["socket"] == ["websocket.accept"]
    # Navigation.
    assert [seen[name]["navigation"] for name in ("nobody", "customer", "analyst")] == [0, 0, 1]
    # Health and metrics.
    assert seen["health before"]["error"] == "the box is empty"
    assert seen["health"]["ok"]
    assert "\nshop_toys 2.0\n" in seen["metrics"]
    assert 'shop_up{dependency="postgresql"} 1.0' in seen["metrics"]
    # Append-only tables: the role has no right to change rows, and a trigger stops the owner.
    insufficient_privilege = "42501"
    assert seen["refused"] == [insufficient_privilege, insufficient_privilege]
    with psycopg.connect(prepared["DATABASE_OWNER_URL"], autocommit=True) as owner:
        for change in ("UPDATE toys_toy SET name = ''", "DELETE FROM toys_toy"):
            with pytest.raises(psycopg.errors.RestrictViolation):
                owner.execute(change)
    assert "ok      Every toy has a name." in seen["verified"]
    assert "ok      The database refuses to change what is only added." in seen["verified"]
    assert "BROKEN" not in seen["verified"]
    # Celery, logs and the documentation.
    assert seen["beat"] == {"task": "toys.wind", "schedule": 60.0}
    assert seen["task"]
    assert seen["logs"]
    operation = seen["schema"]["get"]
    assert operation["tags"] == ["toys"]
    assert operation["x-permission"] == "insight:read_all"
    assert {"200", "401", "403", "429", "503"} <= operation["responses"].keys()


@pytest.mark.django_db
def test_a_table_that_only_grows_and_has_lost_its_trigger_is_found() -> None:
    (check,) = append_only.CHECKS
    assert list(check.find_broken(print)) == []
    for table in append_only_tables():
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        assert table in "\n".join(check.find_broken(print))


class Mistaken(ShopAppConfig):
    """An app in which everything is declared wrongly."""

    name = "shop"
    api_urls = "nowhere.urls"
    metrics = ("shop.core.metrics.nothing",)
    append_only = ("Nothing",)
    health_checks = {"relay": "nowhere.check"}
    navigation = (NavigationEntry("Nothing", "nothing", 1, group="nobody", count="nowhere.count"),)
    searches = ("nowhere.search",)
    attention = ("shop.core.panels.nothing",)
    beat = {"sweep-mails": {"task": "nothing", "schedule": 1.0}}
    helth_checks = {"misspelt": "nowhere.check"}


def test_what_is_declared_wrongly_is_found_by_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert declarations.declarations(None) == []
    config = Mistaken("shop", import_module("shop"))
    config.models = {}
    monkeypatch.setattr(declarations, "shop_apps", lambda: [*shop_apps(), config])
    monkeypatch.setattr(config, "apps", apps)
    found = [(error.id, str(error.msg)) for error in declarations.declarations(None)]
    for id, part in (
        ("shop.E003", "There is nothing called helth_checks to declare."),
        ("shop.E003", "api_urls names nowhere.urls: No module named 'nowhere'"),
        ("shop.E003", "metrics names shop.core.metrics.nothing"),
        ("shop.E003", "health_checks names nowhere.check"),
        ("shop.E003", "append_only names Nothing"),
        ("shop.E003", "navigation names nothing"),
        ("shop.E003", "navigation names nobody: There is no such group."),
        ("shop.E003", "navigation names nowhere.count"),
        ("shop.E003", "searches names nowhere.search"),
        ("shop.E003", "attention names shop.core.panels.nothing"),
        ("shop.E004", "2 apps declare relay in their health_checks."),
        ("shop.E004", "2 apps declare sweep-mails in their beat."),
    ):
        assert [each for each in found if each[0] == id and part in each[1]], part
    assert len(found) == 12
