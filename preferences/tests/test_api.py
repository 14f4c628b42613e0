"""Settings through the API."""

import base64
import io
from typing import Any

import pytest
from django.test import Client
from PIL import Image

from accounts.models import User
from audit.models import Waiting
from preferences.models import Change
from preferences.tests.conftest import Settings
from shop.core import site_settings as core
from shop.core.site_settings.general import DEFAULT_CURRENCY, LOGO, SITE_NAME

SHAPE = {
    "name", "section", "label", "help", "type", "value", "default", "source", "readonly",
    "minimum", "maximum", "choices", "unfit", "updated_at", "updated_by",
}  # fmt: skip


def errors_of(response: Any) -> dict[str | None, str]:
    return {error["attr"]: error["code"] for error in response.json()["errors"]}


def test_a_change_is_in_force_at_once_and_null_resets_it(operator: Settings) -> None:
    first = operator("GET", "settings/")
    assert (first.json()["version"], first["ETag"]) == (0, '"0"')
    assert all(setting.keys() == SHAPE for setting in first.json()["settings"])
    changed = operator("PATCH", "settings/", {"site_name": " Corner "}, If_Match='"0"')
    assert (changed.status_code, changed["ETag"], changed.json()["version"]) == (200, '"1"', 1)
    assert (SITE_NAME.value, core.version()) == ("Corner", 1)
    name = operator.values()["site_name"]
    assert (name["value"], name["source"], name["updated_by"]) == ("Corner", "database", "olga")
    assert name["updated_at"].endswith("Z")
    assert operator("GET", "settings/", If_None_Match='"1"').status_code == 304
    # What is so already makes no version.
    assert operator.change(site_name="Corner").json()["version"] == 1
    assert operator.change(site_name=None).json()["version"] == 2
    name = operator.values()["site_name"]
    assert (name["value"], name["source"], SITE_NAME.value) == (
        "Scalable Shop", "default", "Scalable Shop"
    )  # fmt: skip


def test_a_change_is_all_or_nothing_with_an_error_for_each_name(operator: Settings) -> None:
    refused = operator.change(
        site_name="Fine", read_only="yes", default_currency="XXXX", time_zone="Mars/Base",
        site_theme="blue", nothing=1, quota_sockets=-1, reports_keep_days=True, source_url="gopher:"
    )  # fmt: skip
    assert refused.status_code == 400
    assert errors_of(refused) == {
        "read_only": "invalid", "default_currency": "length", "time_zone": "invalid",
        "site_theme": "invalid_choice", "nothing": "unknown", "quota_sockets": "min_value",
        "reports_keep_days": "invalid", "source_url": "invalid",
    }  # fmt: skip
    assert refused.json()["type"] == "validation_error"
    for body in (["site_name"], "site_name", 7):
        assert operator("PATCH", "settings/", body).status_code == 400
    assert (SITE_NAME.value, core.version(), Change.objects.count()) == ("Scalable Shop", 0, 0)


def test_of_two_changes_of_one_version_one_takes_place(operator: Settings) -> None:
    first = operator("PATCH", "settings/", {"default_currency": "usd"}, If_Match='"0"')
    second = operator("PATCH", "settings/", {"default_currency": "CHF"}, If_Match='"0"')
    assert (first.status_code, second.status_code) == (200, 412)
    assert errors_of(second) == {None: "version_changed"}
    assert DEFAULT_CURRENCY.value == "USD"
    assert operator("POST", "settings/restore/", {"version": 0}, If_Match='"0"').status_code == 412
    assert operator("PATCH", "settings/", {"site_name": "x"}, If_Match="*").status_code == 200


def test_the_environment_wins(operator: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFAULT_CURRENCY", "chf")
    core.fixed.cache_clear()
    try:
        core.install(0, {})
        shown = operator.values()["default_currency"]
        assert (shown["value"], shown["source"], shown["readonly"]) == ("CHF", "environment", True)
        for value in ("USD", "CHF", None):
            refused = operator.change(default_currency=value, site_name="Corner")
            assert refused.status_code == 409
            assert errors_of(refused) == {"default_currency": "set_by_environment"}
        assert (DEFAULT_CURRENCY.value, SITE_NAME.value) == ("CHF", "Scalable Shop")
        # A restore leaves it alone.
        operator.change(site_name="Corner")
        assert operator("POST", "settings/restore/", {"version": 0}).status_code == 200
    finally:
        monkeypatch.delenv("DEFAULT_CURRENCY")
        core.fixed.cache_clear()


def test_the_past_is_kept_and_restored(operator: Settings) -> None:
    operator.change(site_name="One", default_currency="USD")
    operator.change(site_name="Two")
    operator.change(site_name=None, site_theme="dark")
    back = operator("POST", "settings/restore/", {"version": 2}, Idempotency_Key="back")
    assert (back.status_code, back.json()["version"]) == (200, 4)
    assert (SITE_NAME.value, DEFAULT_CURRENCY.value) == ("Two", "USD")
    assert operator.values()["site_theme"]["source"] == "default"
    again = operator("POST", "settings/restore/", {"version": 2}, Idempotency_Key="back")
    assert (again["Idempotent-Replayed"], again.json()) == ("true", back.json())
    changes = operator("GET", "settings/history/?name=site_name").json()["results"]
    assert [(each["version"], each["previous"], each["value"]) for each in changes] == [
        (4, None, "Two"), (3, "Two", None), (2, "One", "Two"), (1, None, "One"),
    ]  # fmt: skip
    assert {each["changed_by"] for each in changes} == {"olga"}
    page = operator("GET", "settings/history/?page_size=3").json()
    assert len(page["results"]) == 3
    assert page["next"]
    for version in (5, -1, "two"):
        assert operator("POST", "settings/restore/", {"version": version}).status_code == 400
    assert operator("POST", "settings/restore/", {"version": 0}).json()["version"] == 5
    assert SITE_NAME.value == "Scalable Shop"


def test_each_change_is_one_entry_of_the_audit(operator: Settings) -> None:
    operator.change(site_name="Corner", default_currency="USD")
    operator.change(site_name="")
    operator("POST", "settings/restore/", {"version": 0})
    entries = Waiting.objects.filter(action__startswith="settings.").order_by("id")
    assert [(each.action, each.object, each.actor_id) for each in entries] == [
        ("settings.changed", "settings:1", operator.user.pk),
        ("settings.restored", "settings:2", operator.user.pk),
    ]
    assert entries[0].before == {"site_name": "Scalable Shop", "default_currency": "EUR"}
    assert entries[0].after == {"site_name": "Corner", "default_currency": "USD"}
    assert entries[1].after == {"site_name": "Scalable Shop", "default_currency": "EUR"}


def picture(kind: str = "PNG", size: tuple[int, int] = (300, 100)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, kind)
    return out.getvalue()


def data_url(content: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def test_a_logo_is_a_picture_of_our_own_making(operator: Settings) -> None:
    for wrong in (
        data_url(b"<svg onload='alert(1)'/>"), data_url(picture(size=(4000, 10))),
        data_url(b"\x89PNG\r\n\x1a\n" + b"x" * 100), "https://example.org/logo.png", 7,
        data_url(picture()[:60]), "data:image/svg+xml;base64,PHN2Zy8+", data_url(b"x" * 70_000),
    ):  # fmt: skip
        assert errors_of(operator.change(logo=wrong)).keys() == {"logo"}
    assert Client().get("/logo.png").status_code == 404
    hidden = picture("JPEG") + b"<script>alert(1)</script>"
    assert operator.change(logo=data_url(hidden, "jpeg")).status_code == 200
    served = Client().get("/logo.png")
    assert (served.status_code, served["Content-Type"]) == (200, "image/png")
    assert served["X-Content-Type-Options"] == "nosniff"
    assert b"script" not in served.content
    assert Image.open(io.BytesIO(served.content)).size == (256, 85)
    assert served.content == base64.b64decode(LOGO.value.partition(",")[2])
    assert Client().get("/logo.png", headers={"If-None-Match": served["ETag"]}).status_code == 304
    assert b"/logo.png?" in Client().get("/").content
    (change,) = operator("GET", "settings/history/").json()["results"]
    assert change["value"].startswith("sha256:")
    assert operator.change(logo=operator.values()["logo"]["value"]).status_code == 200


def test_who_may_only_read_changes_nothing(db: None, client: Client) -> None:
    client.force_login(User.objects.create_user("joe", "joe@example.com", "x"))
    assert client.get("/api/v1/settings/").status_code == 403
