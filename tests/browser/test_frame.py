"""What the frame does by its scripts: forms sent once, themes, copying, rows that are links."""

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import checks
from tests.browser.windows import Windows, submit

pytestmark = pytest.mark.system


def _guide(windows: Windows, **options: Any) -> Page:
    page = windows.sign_in("joe", **options)
    page.goto("/styleguide/")
    return page


def test_a_form_is_sent_once_and_says_so(windows: Windows) -> None:
    page = _guide(windows)
    sent: list[str] = []

    def hold(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        sent.append(route.request.url)
        # The browser stays on the page, as it does while an answer is awaited.
        if len(sent) == 1:
            route.fulfill(status=204)
        else:
            route.abort()

    page.route("**/styleguide/", hold)
    button = page.locator("form[data-styleguide] button")
    button.click()
    expect(button).to_have_text("Sending…")
    expect(button).to_have_attribute("aria-disabled", "true")
    button.press("Enter")
    button.click(force=True)
    assert len(sent) == 1
    # Whoever comes back to the page can send the form again.
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    expect(button).to_have_text("Send once")
    expect(button).not_to_have_attribute("aria-disabled", "true")


def test_the_theme_changes_at_once_and_is_kept(windows: Windows) -> None:
    page = _guide(windows, color_scheme="light")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("[popovertarget=account]")
    with page.expect_response(lambda answer: "preferences" in answer.url):
        page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.click("[popovertarget=account]")
    with page.expect_response(lambda answer: "preferences" in answer.url):
        page.get_by_role("button", name="Auto").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light


def test_the_search_is_one_key_away_unless_somebody_types(windows: Windows) -> None:
    page = _guide(windows)
    page.focus("#sample-item")
    page.keyboard.press("/")
    expect(page.locator("#sample-item")).to_be_focused()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()


def test_a_row_is_a_link_and_a_selection_is_none(windows: Windows) -> None:
    page = _guide(windows)
    page.evaluate("document.querySelectorAll('a.row').forEach(link => link.href = '#row')")
    row = page.locator("tr:has(a.row)").first
    row.locator("td.number").first.click()
    expect(page).to_have_url(f"{windows.url}/styleguide/#row")
    page.evaluate("location.hash = ''")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('tr:has(a.row) td'))")
    row.locator("td.number").first.dispatch_event("click")
    assert page.url.endswith("/styleguide/#")


def test_an_amount_is_copied_as_a_plain_decimal(windows: Windows) -> None:
    page = _guide(windows)
    copied = page.evaluate(
        """() => {
          const money = document.querySelector("data.money[value='1195.30']");
          getSelection().selectAllChildren(money);
          const event = new ClipboardEvent("copy", {clipboardData: new DataTransfer(),
                                                    bubbles: true, cancelable: true});
          money.dispatchEvent(event);
          return event.clipboardData.getData("text/plain");
        }"""
    )
    assert copied == "1195.30"


@pytest.mark.parametrize("language", ["en", "de-DE"])
def test_decimal_points_of_a_column_stand_below_each_other(windows: Windows, language: str) -> None:
    page = _guide(windows, locale=language)
    edges = page.evaluate(
        """() => {
          const edges = (name) => [...document.querySelectorAll(`td.tail .money [class^=${name}]`)]
            .map((part) => Math.round(part.getBoundingClientRect().left * 4));
          return [edges("d"), edges("s")];
        }"""
    )
    assert [len(places) for places in edges] == [6, 6 if language == "de-DE" else 0]
    assert [len(set(places)) for places in edges] == [1, 1 if language == "de-DE" else 0]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_menu_dialog_and_panel_open(windows: Windows, scripts: bool) -> None:
    page = _guide(windows, java_script_enabled=scripts)
    for opener, opened in (("account", "account"), ("sample-dialog", "sample-dialog"),
                           ("sample-panel", "sample-panel")):  # fmt: skip
        page.click(f"[popovertarget={opener}]:not([popovertargetaction])")
        expect(page.locator(f"#{opened}")).to_be_visible()
        if scripts:
            assert checks.violations(page) == []
        page.keyboard.press("Escape")
        expect(page.locator(f"#{opened}")).to_be_hidden()
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator("#side")).to_be_hidden()
    page.click(".bar [popovertarget=side]")
    expect(page.locator("#side")).to_be_visible()
    if scripts:
        assert checks.violations(page) == []


def test_what_was_typed_survives_an_ended_session(windows: Windows) -> None:
    page = windows.sign_in("joe")
    page.goto("/accounts/preferences/")
    page.fill("[name=time_zone]", "Asia/Tokyo")
    # The session ends meanwhile, and the token of the page is that of nobody.
    page.context.clear_cookies()
    submit(page, page.locator("main form button").first)
    expect(page.get_by_role("heading", level=1)).to_have_text("Not allowed")
    page.goto("/accounts/login/?next=/accounts/preferences/")
    page.fill("#id_login", "joe")
    page.fill("#id_password", "demo-joe")
    submit(page)
    expect(page.locator("[name=time_zone]")).to_have_value("Asia/Tokyo")
    expect(page.locator("#toasts")).to_contain_text("has not been sent")
    page.reload()
    expect(page.locator("[name=time_zone]")).not_to_have_value("Asia/Tokyo")
