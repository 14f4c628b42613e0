"""The journeys of a customer, a clerk and a member of staff, by keyboard alone."""

import re
import uuid

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.goods import Goods
from tests.browser.windows import Windows, submit

pytestmark = pytest.mark.system
STOPS = 60
"""How often a reader presses Tab at most."""


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until ``target`` has the focus."""
    expect(target).to_be_visible()
    for _ in range(STOPS):
        if target.evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{STOPS} times Tab do not reach {target}.")


def fill(page: Page, label: str, text: str) -> None:
    """Reach a field by its label, and type."""
    tab_to(page, page.get_by_label(label, exact=True))
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def sign_in(windows: Windows, username: str, password: str) -> Page:
    page = windows.open("/accounts/login/")
    tab_to(page, page.locator("#id_login"))
    page.keyboard.type(username)
    tab_to(page, page.locator("#id_password"))
    page.keyboard.type(password)
    submit(page)
    return page


def test_a_customer_buys_and_looks_it_up(windows: Windows) -> None:
    page = sign_in(windows, "joe", "demo-joe")
    item = f"keys {uuid.uuid4().hex[:8]}"
    fill(page, "Item", item)
    fill(page, "Price each", "12.50")
    page.keyboard.press("Enter")
    row = page.locator("#feed-rows tr", has_text=item)
    expect(row).to_have_count(1)
    tab_to(page, row.locator("a").first)
    submit(page)
    expect(page).to_have_url(re.compile(r"/purchases/[0-9a-f-]{36}/$"))
    expect(page.locator("main")).to_contain_text(item)
    expect(page.locator("main")).to_contain_text("12.50")


def test_staff_finds_a_customer_and_a_purchase(windows: Windows, goods: Goods) -> None:
    page = sign_in(windows, "staff", "demo-staff")
    page.keyboard.press("/")
    page.keyboard.type("005")
    hit = page.get_by_role("option", name=re.compile("joe"))
    expect(hit.first).to_be_visible()
    page.keyboard.press("ArrowDown")
    submit(page)
    expect(page).to_have_url(re.compile("/customers/005/$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("joe")
    page.keyboard.press("Control+k")
    page.keyboard.type(goods.purchase)
    expect(page.get_by_role("option").first).to_be_visible()
    submit(page)
    expect(page).to_have_url(re.compile(f"/purchases/{goods.purchase}/$"))


def test_the_first_stop_leads_past_the_navigation(windows: Windows) -> None:
    page = sign_in(windows, "joe", "demo-joe")
    page.goto("/purchases/")
    page.keyboard.press("Tab")
    expect(page.locator("a.skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_a_menu_opens_and_closes_by_keyboard(windows: Windows) -> None:
    page = sign_in(windows, "joe", "demo-joe")
    menu = page.locator(".menu[popover]").first
    opener = page.locator(f"[popovertarget={menu.get_attribute('id')}]").first
    tab_to(page, opener)
    page.keyboard.press("Enter")
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(opener).to_be_focused()
