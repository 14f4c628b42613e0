"""The search field of the top line, by keyboard and on a phone."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.goods import Goods
from tests.browser.windows import Windows

pytestmark = pytest.mark.system


@pytest.fixture
def staff(windows: Windows, goods: Goods) -> Page:
    return windows.sign_in("staff", "demo-staff")


def test_the_field_is_a_combobox(staff: Page) -> None:
    staff.goto("/customers/")
    field, options = staff.locator("#search"), staff.get_by_role("option")
    staff.keyboard.press("/")
    expect(field).to_be_focused()
    expect(field).to_have_role("combobox")
    expect(field).to_have_attribute("aria-expanded", "false")
    staff.keyboard.type("re")
    expect(options.filter(has_text="Reports")).to_be_visible()
    expect(field).to_have_attribute("aria-expanded", "true")
    expect(staff.locator(".palette [role=status]")).to_have_text(re.compile("result"))
    count = options.count()
    staff.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    first = options.first.get_attribute("id")
    expect(field).to_have_attribute("aria-activedescendant", str(first))
    # The field itself comes between the last one and the first.
    staff.keyboard.press("ArrowUp")
    expect(staff.locator("[aria-selected=true]")).to_have_count(0)
    staff.keyboard.press("ArrowUp")
    expect(options.nth(count - 1)).to_have_attribute("aria-selected", "true")
    staff.keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(field).to_have_value("re")
    staff.keyboard.press("ArrowDown")
    expect(options.first).to_be_visible()
    staff.keyboard.press("Escape")
    staff.keyboard.press("Escape")
    expect(field).to_have_value("")
    staff.keyboard.press("Escape")
    expect(field).not_to_be_focused()


def test_a_click_on_what_is_found_leads_there(staff: Page) -> None:
    staff.keyboard.press("Control+k")
    staff.keyboard.type("reports")
    staff.get_by_role("option", name="Reports").click()
    expect(staff).to_have_url(re.compile("/reports/$"))


@pytest.mark.parametrize(
    ("status", "words"), [(429, "many searches"), (503, "does not answer"), (0, "does not answer")]
)
def test_a_failure_says_what_to_do(staff: Page, status: int, words: str) -> None:
    if status:
        staff.route("**/search/?q=*", lambda route: route.fulfill(status=status, body="{}"))
    else:
        staff.route("**/search/?q=*", lambda route: route.abort())
    staff.keyboard.press("/")
    staff.keyboard.type("joe")
    expect(staff.locator(".palette [role=status]")).to_contain_text(words)
    expect(staff.get_by_role("option")).to_have_count(0)


def test_on_a_phone_the_page_of_the_search_suggests(staff: Page) -> None:
    staff.set_viewport_size({"width": 320, "height": 640})
    staff.goto("/customers/")
    staff.keyboard.press("/")
    expect(staff).to_have_url(re.compile("/search/$"))
    staff.get_by_label("Search for").fill("005")
    expect(staff.get_by_role("option", name=re.compile("joe"))).to_be_visible()
    staff.keyboard.press("Enter")
    expect(staff).to_have_url(re.compile("/customers/005/$"))
