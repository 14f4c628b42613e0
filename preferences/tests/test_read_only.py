"""A site that is read-only refuses every write but those that people need to end that."""

import os
import signal
import time
from typing import Any

import pytest
from django.test import Client

from people.tests.conftest import make
from preferences.tests.conftest import Settings
from shop.core.apps import works_read_only
from tests.callers import Api
from tests.system import System, wait_for
from tests.world import ROUTES


def test_writes_are_refused_and_reading_and_signing_in_go_on(operator: Settings) -> None:
    joe = Api(make("joe"))
    assert operator.change(read_only=True).status_code == 200
    buy = {"item": "tea", "price": "1.00"}
    for method, path, body in (
        ("POST", "purchases/", buy), ("POST", "reports/", {}), ("POST", "accounts/", {}),
        ("DELETE", "accounts/me/erasure/", None), ("PATCH", "keys/nothing/", {}),
    ):  # fmt: skip
        refused = joe(method, path, body)
        assert (refused.status_code, refused["Retry-After"]) == (503, "60"), path
        assert refused.json()["errors"][0]["code"] == "read_only"
        assert refused.json()["type"] == "server_error"
    classic = joe.client.post("/buy", {"price": 1}, content_type="application/json")
    assert (classic.status_code, classic.json()["status"]) == (503, "Error")
    assert joe("GET", "purchases/").status_code == 200
    browser = Client(enforce_csrf_checks=False)
    signed_in = browser.post("/accounts/login/", {"login": "joe", "password": "x"})
    assert signed_in.status_code == 302
    page = browser.get("/")
    assert "read-only at the moment" in page.content.decode()
    refused_page = browser.post("/", {"item": "tea", "price": "1"})
    assert (refused_page.status_code, refused_page["Retry-After"]) == (503, "60")
    assert "The site is read-only at the moment" in refused_page.content.decode()
    assert browser.post("/accounts/logout/").status_code == 302
    token = Client().post(
        "/api/v1/auth/token/", {"username": "joe", "password": "x"}, "application/json"
    )
    assert token.status_code == 200
    assert operator.change(read_only=False).status_code == 200
    assert joe("POST", "purchases/", buy).status_code == 201
    assert "read-only at the moment" not in browser.get("/").content.decode()


def test_the_routes_that_go_on_exist() -> None:
    names = {getattr(pattern, "name", None) for pattern in ROUTES.values()}
    assert works_read_only() <= names | {"admin:logout"}


@pytest.mark.system
def test_a_change_is_in_force_in_every_process_without_valkey(system: System) -> None:
    boss, joe = system.token("staff"), system.token("joe")

    def change(**values: Any) -> int:
        answer = system.request("PATCH", "/api/v1/settings/", values, boss)
        assert answer.status == 200, answer.body
        return int(answer.json()["version"])

    def buy() -> Any:
        return system.request("POST", "/api/v1/purchases/", {"item": "x", "price": "1"}, joe)

    def alive() -> dict[str, list[int]]:
        """Return the versions of the settings that the processes of each kind have."""
        versions: dict[str, list[int]] = {}
        for each in system.request("GET", "/api/v1/operations/instances/", token=boss).json():
            if each["state"] == "alive":
                versions.setdefault(each["kind"], []).append(each["settings_version"])
        return versions

    def are_all_there() -> bool:
        return {"web", "relay", "worker", "beat"} <= alive().keys()

    def behind(version: int) -> list[str]:
        assert are_all_there()
        return [kind for kind, versions in alive().items() if {*versions} != {version}]

    # The worker of a site that has just started may not have reported yet.
    wait_for(are_all_there)
    assert buy().status == 201
    valkey = system.pids("valkey-server")
    assert valkey
    for pid in valkey:
        os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        version = change(read_only=True, log_level_relay="WARNING")
        assert buy().status == 503
        wait_for(lambda: not behind(version), 30)
        taken = time.monotonic() - began
    finally:
        for pid in valkey:
            os.kill(pid, signal.SIGCONT)
        change(read_only=None, log_level_relay=None)
    # The processes report at most every few seconds, in addition.
    assert taken < 10 * system.slowness
    assert buy().status == 201
