"""The frame of every page: navigation, account menu, themes, errors, and the style guide."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template import Context, Template
from django.test import Client, RequestFactory

from accounts.models import User
from shop.core import context
from shop.core.apps import GROUPS, NavigationEntry, navigation_for
from shop.core.templatetags import face

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> User:
    return User.objects.create_superuser("staff", "staff@example.com", "orchid-lamp-42")


@pytest.fixture
def joe() -> User:
    return User.objects.create_user("joe", "joe@example.com", "orchid-lamp-42")


def _page(client: Client, user: User, path: str) -> str:
    client.force_login(user)
    return client.get(path).content.decode()


def _navigation(page: str) -> str:
    return page.split('<nav class="side"')[1].split("</nav>")[0]


def test_navigation_stands_in_groups_and_marks_the_present_page(
    client: Client, staff: User, joe: User
) -> None:
    navigation = _navigation(_page(client, staff, "/purchases/"))
    current = re.findall(r'href="([^"]+)" aria-current="page"', navigation)
    assert current == ["/purchases/"]
    groups = re.findall(r'<p class="group"[^>]*>(\w+)</p>', navigation)
    assert groups == [str(label) for label in GROUPS.values() if str(label) in groups]
    assert "/admin/" in navigation
    assert "/admin/" not in _navigation(_page(client, joe, "/purchases/"))


def test_the_nearest_entry_above_a_page_is_current(rf: RequestFactory, staff: User) -> None:
    request = rf.get("/purchases/00000000-0000-7000-8000-000000000000/")
    request.user = staff
    links = [link for group in context.navigation_of(request) for link in group.links]
    assert [link.url for link in links if link.is_current] == ["/purchases/"]


def _waiting(user: Any) -> int:
    return 3


def test_an_entry_shows_how_much_waits(
    client: Client, joe: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = NavigationEntry("Drafts", "shop", 1, group="bill", count=f"{__name__}._waiting")
    entries = [*navigation_for(joe), entry]
    monkeypatch.setattr(context, "navigation_for", lambda user: entries)
    navigation = _navigation(_page(client, joe, "/purchases/"))
    assert re.search(r'<span>Drafts</span><span class="count"><data[^>]*>3</data>', navigation)


def test_the_title_is_the_heading_unless_a_page_gives_another(client: Client, joe: User) -> None:
    page = _page(client, joe, "/nothing/")
    assert "<title>Not found · Scalable Shop</title>" in page
    assert page.count("<h1") == 1
    assert '<h1 id="heading">Not found</h1>' in page
    guest = Client().get("/nothing/").content.decode()
    assert guest.count("<h1") == 1
    assert '<h1 id="heading">Not found</h1>' in guest


@pytest.mark.parametrize(
    ("kept", "cookie", "shown"),
    [("", "", ""), ("", "dark", "dark"), ("light", "dark", "light"), ("", "pink", "")],
)
def test_the_theme_is_that_of_the_account_or_of_the_cookie(
    client: Client, joe: User, kept: str, cookie: str, shown: str
) -> None:
    User.objects.filter(pk=joe.pk).update(theme=kept)
    client.cookies["shop_theme"] = cookie
    head = _page(client, joe, "/purchases/").split(">", 2)[1]
    assert re.findall(r'data-theme="(\w*)"', head) == ([shown] if shown else [])


def test_who_may_not_see_a_page_is_led_to_another_account(client: Client, joe: User) -> None:
    page = _page(client, joe, "/live/")
    (link,) = re.findall(r'<a href="([^"]+)">Sign in with an account', page)
    assert link == "/accounts/logout/?next=/live/"
    assert client.get(link).status_code == 200
    answer = client.post("/accounts/logout/", {"next": "/live/"}, follow=True)
    assert answer.redirect_chain == [("/live/", 302), ("/accounts/login/?next=/live/", 302)]


def test_a_page_that_was_open_too_long_is_refused_in_words(joe: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(joe)
    answer = client.post("/", {"item": "lamp"})
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "open for too long" in page
    assert "CSRF" not in page


def test_the_style_guide_exists_in_development_only(client: Client, settings: Any) -> None:
    settings.DEVELOPMENT = True
    page = client.get("/styleguide/").content.decode()
    folder = settings.BASE_DIR / "templates" / "components"
    assert folder.is_dir()
    assert "Style guide" in page
    settings.DEVELOPMENT = False
    assert client.get("/styleguide/").status_code == 404


def _component(kind: str, /, **given: Any) -> str:
    return Template(f'{{% include "components/{kind}.html" %}}').render(Context(given))


def test_what_a_component_is_given_is_text_and_no_markup() -> None:
    bad = '"><script>alert(1)</script>'
    for name, given in (
        ("field", {"name": "item", "label": bad, "value": bad, "hint": bad, "error": bad}),
        ("money_field", {"label": bad, "value": bad, "currency": bad, "error": bad}),
        ("button", {"label": bad, "busy": bad}),
        ("badge", {"label": bad}),
        ("figure", {"label": bad, "value": bad, "comparison": bad}),
        ("code", {"text": bad, "label": bad}),
        ("errors", {"errors": {"item": bad}, "labels": {"item": bad}}),
        ("chips", {"items": [{"label": bad, "url": bad}]}),
        ("table", {"columns": [(bad, "")], "rows": [[bad]]}),
    ):
        assert "<script" not in _component(name, **given), name


def test_a_field_names_its_hint_and_its_error() -> None:
    field = _component("field", name="price", label="Price", hint="In euros", error="Too much")
    assert 'aria-describedby="price-hint price-error"' in field
    assert 'aria-invalid="true"' in field
    assert field.index("price-hint") < field.index("<input") < field.index('id="price-error"')


def test_the_summary_of_errors_leads_to_the_fields() -> None:
    summary = _component(
        "errors", errors={"price": "Too much.", "": "Nothing sent."}, labels={"price": "Price"}
    )
    assert '<a href="#price">Price: Too much.</a>' in summary
    assert "<li>Nothing sent.</li>" in summary
    assert _component("errors", errors={}).strip() == ""


def test_presets_of_dates_keep_the_other_filters() -> None:
    presets = face.date_presets("", "", "since", "until", "item=Book")
    assert len(presets) == 6
    assert all(preset.url.startswith("?item=Book&since=") for preset in presets)
    today = presets[0]
    chosen = face.date_presets(today.since, today.until, "since", "until", "")
    assert next(preset.is_current for preset in chosen)


def test_nobody_has_a_navigation_of_open_pages_only() -> None:
    assert {entry.route for entry in navigation_for(AnonymousUser())} == {"documentation"}
