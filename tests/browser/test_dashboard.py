"""The dashboard in a browser: its figures are renewed without moving what somebody uses."""

import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.browser.windows import Windows
from tests.system import wait_for

pytestmark = pytest.mark.system
EVERY_MS = 15_000


def _count(page: Page) -> int:
    value = page.locator(".figure .value data").first.get_attribute("value")
    assert value is not None
    return int(value)


def _renewed(page: Page, reached: int) -> bool:
    # The server keeps figures for a few seconds, so one renewal may come too early.
    page.clock.run_for(EVERY_MS)
    page.wait_for_timeout(300)
    return _count(page) >= reached


def test_figures_are_renewed_and_what_is_open_stays_open(windows: Windows) -> None:
    buyer, staff = windows.sign_in("joe"), windows.sign_in("staff")

    def buy() -> None:
        buyer.goto("/")
        buyer.fill("#item", f"dashboard {uuid.uuid4().hex[:8]}")
        buyer.fill("#price", "7.25")
        buyer.click("#buy-button")
        expect(buyer.locator("#buy-result")).to_contain_text("7.25")

    # The dashboard of an empty shop has no figures, and the server may remember that.
    buy()
    staff.clock.install()
    figures = staff.locator("#figures summary").first
    wait_for(lambda: staff.goto("/dashboard/") is not None and figures.is_visible(), 30)
    figures.click()
    before = _count(staff)
    buy()
    # The summary has the focus, so the figures stay as they are.
    staff.clock.run_for(2 * EVERY_MS)
    assert _count(staff) == before
    staff.locator("h1").click()
    staff.evaluate("document.activeElement.blur()")
    wait_for(lambda: _renewed(staff, before + 1), 30)
    expect(staff.locator("#figures details[open]").first).to_be_visible()


def test_figures_that_cannot_be_renewed_stay_and_are_marked(windows: Windows) -> None:
    staff = windows.sign_in("staff")
    staff.clock.install()
    staff.goto("/dashboard/")
    staff.route("**/dashboard/figures/", lambda route: route.fulfill(status=503, body="Later."))
    as_of = staff.locator(".as-of time").first.get_attribute("datetime")
    staff.clock.run_for(EVERY_MS)
    expect(staff.locator("#figures[data-late]")).to_have_count(1)
    expect(staff.locator(".as-of time").first).to_have_attribute("datetime", str(as_of))
    windows.problems.clear()
