"""The pages of settings."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from preferences.look import COLOURS, TOKENS, style_sheet
from preferences.models import Change
from preferences.tests.conftest import Settings
from preferences.tests.test_api import picture
from shop.core import site_settings as core
from shop.core.site_settings.general import ACCENT, LOGO, SITE_NAME, TIME_ZONE
from shop.core.site_settings.kinds import in_force
from shop.tests.test_style import contrast


@pytest.fixture
def browser(operator: Settings) -> Client:
    client = Client()
    client.force_login(operator.user)
    return client


@pytest.fixture(autouse=True)
def _committed(django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put changes in force although the test's transaction never ends."""
    monkeypatch.setattr("django.db.transaction.on_commit", lambda work, **_: work())


def form(**values: str) -> dict[str, Any]:
    """Return a form whose fields were as they are in force."""
    was = {f"was-{name}": str(in_force.values[name]) for name in values}
    return values | was | {"version": str(core.version())}


def test_settings_are_shown_found_and_changed(browser: Client) -> None:
    page = browser.get("/settings/").content.decode()
    assert all(f'name="{name}"' in page for name in ("site_name", "quota_sockets", "logo"))
    found = browser.get("/settings/?q=time zone").content.decode()
    assert 'name="time_zone"' in found
    assert 'name="quota_sockets"' not in found
    assert "No setting is about this" in browser.get("/settings/?q=zebra").content.decode()
    sent = browser.post("/settings/?q=name", form(site_name="Corner <b>", time_zone="UTC"))
    assert (sent.status_code, sent["Location"]) == (302, "/settings/?q=name")
    assert (SITE_NAME.value, Change.objects.get().name) == ("Corner <b>", "site_name")
    page = browser.get("/settings/").content.decode()
    assert "Corner &lt;b&gt;" in page
    assert "Back to the default: Scalable Shop" in page
    assert browser.post("/settings/", {"reset": "site_name"}).status_code == 302
    assert SITE_NAME.value == "Scalable Shop"


def test_what_is_wrong_is_said_and_nothing_typed_is_lost(browser: Client) -> None:
    wrong = browser.post(
        "/settings/", form(site_name="Corner", time_zone="Mars", quota_sockets="many")
    )
    page = wrong.content.decode()
    assert wrong.status_code == 400
    assert "Give a time zone, such as Europe/Berlin." in page
    assert "Give a whole number." in page
    assert all(f'value="{typed}"' in page for typed in ("Corner", "Mars", "many"))
    assert core.version() == 0
    stale = form(site_name="Corner", time_zone="Europe/Berlin")
    browser.post("/settings/", form(quota_sockets="7"))
    late = browser.post("/settings/", stale)
    assert late.status_code == 412
    assert "The settings have changed since" in late.content.decode()
    assert 'value="Europe/Berlin"' in late.content.decode()
    assert TIME_ZONE.value == "UTC"


def test_the_history_leads_back(browser: Client) -> None:
    assert "Nothing was changed yet" in browser.get("/settings/history/").content.decode()
    browser.post("/settings/", form(site_name="One"))
    browser.post("/settings/", form(site_name="Two", read_only="true"))
    page = browser.get("/settings/history/").content.decode()
    assert page.count("Back to version") == 2
    assert "Two" in page
    assert "olga" in page
    assert browser.post("/settings/restore/", {"version": "1"}).status_code == 302
    assert SITE_NAME.value == "One"
    assert browser.post("/settings/restore/", {"version": "99"})["Location"] == "/settings/history/"
    assert "olga" in browser.get("/settings/history/?name=site_name").content.decode()
    assert browser.get("/settings/history/?cursor=x").status_code == 400


def test_a_logo_is_uploaded(browser: Client) -> None:
    for content in (b"<svg/>", b"x" * 100_000):
        wrong = browser.post("/settings/", {"logo": SimpleUploadedFile("logo.png", content)})
        assert wrong.status_code == 400
    assert browser.post("/settings/", {"logo": ""}).status_code == 302
    assert core.version() == 0
    file = SimpleUploadedFile("logo.webp", picture("WEBP"), "image/webp")
    assert browser.post("/settings/", {"logo": file}).status_code == 302
    assert LOGO.value.startswith("data:image/png;base64,")
    assert b"/logo.png?" in browser.get("/settings/").content


def test_the_environments_settings_have_no_field(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITE_NAME", "Fixed")
    core.fixed.cache_clear()
    try:
        core.install(0, {})
        page = browser.get("/settings/").content.decode()
        assert 'name="site_name"' not in page
        assert "Fixed by SITE_NAME of the environment" in page
        assert browser.post("/settings/", {"site_name": "Other"}).status_code == 409
    finally:
        monkeypatch.delenv("SITE_NAME")
        core.fixed.cache_clear()


def test_every_colour_can_be_read(site_settings: Any, db: None) -> None:
    assert set(COLOURS) == set(ACCENT.choices) - {"green"}
    surfaces = ("#ffffff", "#1a201e")
    for accent, pairs in COLOURS.items():
        colours = dict(zip(TOKENS, [pair.split(", ") for pair in pairs], strict=True))
        for theme, surface in enumerate(surfaces):
            accent_colour = colours["--accent"][theme]
            for other in (surface, colours["--accent-ink"][theme], colours["--accent-soft"][theme]):
                assert contrast(accent_colour[1:], other[1:]) >= 4.5, (accent, theme, other)
        assert accent_colour in style_sheet(accent)
    site_settings.site_accent = "blue"
    site_settings.site_theme = "dark"
    page = Client().get("/").content.decode()
    assert '<link rel="stylesheet" href="/look.css?' in page
    assert 'data-theme="dark"' in page
    assert b"#1d5fbf" in Client().get("/look.css").content
