"""The captcha of the sign-up in a browser, under the site's Content-Security-Policy."""

import hashlib

import pytest
from playwright.sync_api import Route, expect

from tests.browser.checks import violations
from tests.browser.windows import Windows

pytestmark = pytest.mark.system
DONE = "The sum is done. You can send the form."


def test_the_browser_solves_it_and_says_so(windows: Windows) -> None:
    page = windows.open("/accounts/signup/")
    status = page.locator("[data-captcha] [role=status]")
    expect(status).to_have_text(DONE, timeout=60_000)
    assert violations(page) == []
    payload = page.locator("[data-captcha] input")
    first = payload.input_value()
    assert first
    page.reload()
    expect(status).to_have_text(DONE, timeout=60_000)
    assert payload.input_value() not in ("", first)


def test_where_it_cannot_be_solved_the_page_says_what_to_do(windows: Windows) -> None:
    page = windows.open("/accounts/")

    def refuse(route: Route) -> None:
        route.fulfill(status=429, body="{}")

    page.route("**/api/v1/captcha/**", refuse)
    page.goto("/accounts/signup/")
    status = page.locator("[data-captcha] [role=status]")
    again = page.get_by_role("button", name="Try again")
    expect(status).to_contain_text("Wait a minute")
    assert violations(page) == []
    # What was typed stays, and nothing is sent.
    page.fill("#id_username", "eve")
    page.fill("#id_email", "eve@example.com")
    for field in ("#id_password1", "#id_password2"):
        page.fill(field, "orchid-lamp-42")
    page.keyboard.press("Enter")
    expect(again).to_be_focused()
    assert page.input_value("#id_username") == "eve"
    page.unroute("**/api/v1/captcha/**")
    page.keyboard.press("Enter")
    expect(status).to_have_text(DONE, timeout=60_000)
    expect(again).to_be_hidden()


def test_the_sum_of_a_page_without_https_is_the_same(windows: Windows) -> None:
    page = windows.open("/accounts/")
    script = """async ([password, salt, cost]) => {
      const { pbkdf2 } = await import("/static/accounts/pbkdf2.js");
      return [...new Uint8Array(pbkdf2(Uint8Array.from(password), Uint8Array.from(salt), cost))];
    }"""
    for password, salt, cost in (
        (b"", b"s", 1),
        (bytes(range(20)), bytes(16), 50),
        (b"p" * 64, b"", 2),
    ):
        found = page.evaluate(script, [list(password), list(salt), cost])
        assert bytes(found) == hashlib.pbkdf2_hmac("sha256", password, salt, cost)
