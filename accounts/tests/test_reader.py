"""The language and the time zone of pages, and the page that chooses them."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import flatten_fieldsets, label_for_field
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from accounts.models import User
from accounts.reader import ReaderMiddleware, find_zone, written_for, zone_names
from accounts.tests.conftest import SentMail

PAGE = "/accounts/preferences/"
ALIKE = {"Audit", "status", "name"}
NO_FIELDS = {"usable_password", "password1", "password2"}
GERMAN = {"accept-language": "de-AT,de;q=0.9,en;q=0.5"}


def written_in(response: Any) -> tuple[str, str]:
    """Return the language and the zone that the body of a page names."""
    text = response.content.decode()
    return (
        text.partition('<html lang="')[2].partition('"')[0],
        text.partition('data-time-zone="')[2].partition('"')[0],
    )


@pytest.mark.django_db
def test_a_browser_says_the_language_and_cookies_are_stronger(client: Client):
    assert written_in(client.get(PAGE)) == ("en", "UTC")
    page = client.get(PAGE, headers=GERMAN)
    assert written_in(page) == ("de", "UTC")
    assert page["Content-Language"] == "de"
    assert {"Accept-Language", "Cookie"} <= set(page["Vary"].split(", "))
    assert written_in(client.get(PAGE, headers={"accept-language": "fr,nl;q=0.1"})) == ("en", "UTC")
    client.cookies["shop_language"] = "en"
    client.cookies["shop_time_zone"] = "Asia/Kathmandu"
    assert written_in(client.get(PAGE, headers=GERMAN)) == ("en", "Asia/Kathmandu")


@pytest.mark.django_db
@pytest.mark.parametrize("value", ["../etc/passwd", "x" * 5000, "", "Europe", "localtime", "%00"])
def test_bad_cookies_do_no_harm(client: Client, value: str):
    client.cookies["shop_language"] = client.cookies["shop_time_zone"] = value
    client.cookies["shop_theme"] = '"><script>'
    page = client.get(PAGE)
    assert written_in(page) == ("en", "UTC")
    assert b"><script>" not in page.content


def test_an_account_keeps_what_it_chooses(client: Client, alice: User):
    client.force_login(alice)
    client.cookies["shop_time_zone"] = "Asia/Kathmandu"
    form = {"language": "de", "time_zone": "new york", "theme": "dark"}
    answer = client.post(
        PAGE, form | {"next": "/accounts/email/"}, headers={"accept-language": "en"}
    )
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/email/")
    alice.refresh_from_db()
    assert (alice.language, alice.time_zone, alice.theme) == ("de", "America/New_York", "dark")
    client.cookies["shop_time_zone"] = "Asia/Kathmandu"
    page = client.get(PAGE)
    assert written_in(page) == ("de", "America/New_York")
    assert b'data-theme="dark"' in page.content
    # A form that gives only one of them leaves the others, and what it gives may be nothing.
    client.post(PAGE, {"theme": ""})
    alice.refresh_from_db()
    assert (alice.language, alice.theme) == ("de", "")
    for elsewhere in (
        "Infinity",
        "account_login",
        "//evil.example/",
        "https://evil.example/",
        "?a",
    ):
        assert client.post(PAGE, {"theme": "", "next": elsewhere})["Location"] == PAGE


@pytest.mark.django_db
def test_a_guest_keeps_it_in_cookies(client: Client):
    answer = client.post(PAGE, {"language": "de", "time_zone": "berlin", "theme": "light"})
    cookies = {name: morsel.value for name, morsel in answer.cookies.items() if "shop" in name}
    assert cookies == {
        "shop_language": "de",
        "shop_time_zone": "Europe/Berlin",
        "shop_theme": "light",
    }
    sign_in = client.get("/accounts/login/")
    assert written_in(sign_in) == ("de", "Europe/Berlin")
    client.post(PAGE, {"language": "", "time_zone": "", "theme": ""})
    assert written_in(client.get(PAGE)) == ("en", "UTC")


@pytest.mark.django_db
def test_what_does_not_exist_is_refused_and_shown_again(client: Client):
    form = {"language": "xx", "time_zone": "Atlantis", "theme": "dark"}
    page = client.post(PAGE, form)
    assert page.status_code == 400
    assert not [name for name in page.cookies if name.startswith("shop_")]
    text = page.content.decode()
    assert 'value="Atlantis"' in text
    assert 'href="#time_zone"' in text
    assert 'href="#language"' in text


@pytest.mark.django_db
@pytest.mark.parametrize(
    "url", ["https://evil.example/", "//evil.example", "javascript:x", "\\\\x"]
)
def test_it_leads_nowhere_else(client: Client, url: str):
    assert client.post(PAGE, {"theme": "dark", "next": url})["Location"] == PAGE
    assert url not in client.get(PAGE, {"next": url}).content.decode()


def test_programs_are_answered_in_english_and_utc(client: Client, alice: User):
    User.objects.filter(pk=alice.pk).update(language="de", time_zone="Asia/Kathmandu")
    client.force_login(alice)
    for path, field in (("/api/v1/purchases/", "errors"), ("/getAllUserBuys/nobody", "message")):
        answer = client.get(path, headers=GERMAN)
        assert "Content-Language" not in answer
        if answer.status_code >= 400:
            assert field in answer.json()
    answer = client.post("/api/v1/purchases/", {}, content_type="application/json", headers=GERMAN)
    assert answer.json()["errors"][0]["detail"] == "This field is required."
    answer = client.post(
        "/api/v1/auth/token/", "{", content_type="application/json", headers=GERMAN
    )
    assert answer.json()["errors"][0]["detail"].startswith("This is not valid JSON")


def test_the_admin_is_in_the_readers_language(client: Client, alice: User):
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True, language="de")
    client.force_login(alice)
    page = client.get("/admin/").content.decode()
    assert 'lang="de' in page
    assert "Rückbelastungen" in page
    listed = client.get("/admin/accounts/user/").content.decode()
    for text in ("Kundennummer", "Ein ganzer Benutzername", "Ausgewählte Konten schließen"):
        assert text in listed, text
    # What is named there has a translation of the shop, or one of Django's.
    request = RequestFactory().get("/admin/")
    request.user = User.objects.get(pk=alice.pk)
    english, german = (_names_in_the_admin(request, language) for language in (None, "de"))
    assert {name for name, other in zip(english, german, strict=True) if name == other} <= ALIKE
    # The history of an object has messages of our actions and of Django's forms.
    for message in ("Revoked all tokens.", [{"changed": {"fields": ["Password"]}}]):
        LogEntry.objects.log_actions(alice.pk, [alice], CHANGE, change_message=message)
    history = client.get(f"/admin/accounts/user/{alice.pk}/history/").content.decode()
    for text in ("Alle Token widerrufen.", "Passwort geändert."):
        assert text in history, text


def _names_in_the_admin(request: Any, language: str | None) -> list[str]:
    with translation.override(language):
        return [
            str(name)
            for model, shown in admin.site._registry.items()
            for name in (
                apps.get_app_config(model._meta.app_label).verbose_name,
                model._meta.verbose_name,
                model._meta.verbose_name_plural,
                *(
                    label_for_field(field, model, shown)
                    for field in (
                        *shown.get_list_display(request),
                        *flatten_fieldsets(shown.get_fieldsets(request)),
                    )
                    if field not in NO_FIELDS
                ),
            )
        ]


def test_the_account_of_a_reader_is_read_once(client: Client, alice: User):
    client.force_login(alice)
    with CaptureQueriesContext(connection) as queries:
        client.get(PAGE)
    read = [each["sql"] for each in queries if 'FROM "accounts_user"' in each["sql"]]
    assert len(read) == 1


def test_the_page_of_an_outage_is_written_in_what_the_cookies_say():
    class Away:
        def __getattr__(self, name: str) -> Any:
            raise OperationalError("the connection is closed")

    request = RequestFactory().get("/", headers=GERMAN)
    request.COOKIES["shop_time_zone"] = "Europe/Berlin"
    request.user = Away()  # type: ignore[assignment]
    seen = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append((translation.get_language(), timezone.get_current_timezone_name()))
        return HttpResponse()

    ReaderMiddleware(view)(request)
    assert seen == [("de", "Europe/Berlin")]
    assert translation.get_language() == "en"


def test_zones_are_found_as_people_type_them():
    found = {text: find_zone(text) for text in ("Europe/Berlin", " berlin ", "São Paulo", "utc")}
    assert [zone and zone.key for zone in found.values()] == ["Europe/Berlin"] * 2 + [None, "UTC"]
    assert len(zone_names()) > 300


# --- The texts of scripts ------------------------------------------------------------------------


@pytest.mark.django_db
def test_scripts_get_their_texts_once(client: Client):
    page = client.get(PAGE, headers=GERMAN).content.decode()
    address = page.partition('<script src="/jsi18n/')[2].partition('"')[0].replace("&amp;", "&")
    catalog = client.get(f"/jsi18n/{address}")
    assert catalog["Content-Type"].startswith("text/javascript")
    assert "immutable" in catalog["Cache-Control"]
    assert "public" in catalog["Cache-Control"]
    assert "Kopiert." in catalog.content.decode()
    # English needs no catalog, and an old address gets the present one for a minute.
    assert "/jsi18n/" not in client.get(PAGE).content.decode()
    assert client.get("/jsi18n/?l=de&v=old")["Cache-Control"] == "public, max-age=60"
    assert client.get("/jsi18n/?l=../x").status_code == 200


# --- Mails ---------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_who_signs_up_in_german_is_written_to_in_german(client: Client, sent_mail: SentMail):
    form = {"username": "eva", "email": "eva@example.com"}
    form |= dict.fromkeys(("password1", "password2"), "orchid-lamp-42")
    assert client.post("/accounts/signup/", form, headers=GERMAN).status_code == 302
    eva = User.objects.get(username="eva")
    assert eva.language == "de"
    # Her address is confirmed in her language, whoever asks for it.
    with translation.override("en"), written_for(eva):
        assert translation.get_language() == "de"
    (mail,) = sent_mail()
    assert "eva" in str(mail.body)


def test_a_mail_is_in_the_language_of_its_account(alice: User):
    alice.language, alice.time_zone = "de", "Asia/Kathmandu"
    with written_for(alice):
        assert translation.gettext("Save") == "Speichern"
        assert timezone.get_current_timezone_name() == "Asia/Kathmandu"
    assert translation.gettext("Save") == "Save"
    with written_for(None):
        assert translation.get_language() == "en"
