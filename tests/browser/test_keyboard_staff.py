"""The work of a back office, by keyboard alone."""

import re
import uuid

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.goods import Goods
from tests.browser.test_keyboard import fill, tab_to
from tests.browser.windows import Windows, submit

pytestmark = pytest.mark.system


@pytest.fixture
def page(windows: Windows, goods: Goods) -> Page:
    return windows.sign_in("staff", locale="en-GB")


def press(page: Page, target: Locator) -> None:
    """Reach a button or link, and open what it leads to."""
    tab_to(page, target)
    submit(page)


def test_a_clerk_records_at_the_till(page: Page) -> None:
    page.goto("/till/")
    item = f"till {uuid.uuid4().hex[:8]}"
    fill(page, "Customer", "joe")
    fill(page, "Item", item)
    fill(page, "Price each", "3,50")
    page.keyboard.press("Enter")
    expect(page.locator(".entries li", has_text=item)).to_have_count(1)
    # The next one can be typed at once.
    assert page.evaluate("document.activeElement.closest('#entry') !== null")


def test_a_list_is_filtered_and_the_filter_taken_away(page: Page) -> None:
    page.goto("/purchases/")
    tab_to(page, page.locator("details.filters summary"))
    page.keyboard.press("Enter")
    fill(page, "Item, its whole name", "Notebook, A5")
    submit(page)
    expect(page).to_have_url(re.compile("item=Notebook"))
    expect(page.locator("#purchases tbody tr").first).to_contain_text("Notebook, A5")
    press(page, page.get_by_role("link", name=re.compile("Remove.*Notebook")))
    expect(page).not_to_have_url(re.compile("item="))


def test_a_report_is_asked_for(page: Page) -> None:
    page.goto("/reports/")
    before = page.locator("#reports tbody tr").count()
    press(page, page.get_by_role("link", name="This month").first)
    press(page, page.get_by_role("button", name="Ask for it"))
    expect(page.locator("#reports tbody tr")).to_have_count(before + 1)


def test_somebody_is_invited(page: Page, goods: Goods) -> None:
    page.goto("/people/teams/")
    press(page, page.locator(f"a.row[href*='{goods.team}']"))
    email = f"{uuid.uuid4().hex[:8]}@example.com"
    fill(page, "Mail address", email)
    submit(page)
    expect(page.locator("main")).to_contain_text(email)
    # A question is closed by Escape, and the focus is where it was.
    opener = page.get_by_role("button", name="Delete the team…")
    tab_to(page, opener)
    page.keyboard.press("Enter")
    dialog = page.locator("#delete-team")
    expect(dialog).to_be_visible()
    page.keyboard.press("Tab")
    assert dialog.evaluate("dialog => dialog.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()


def test_a_setting_is_changed(page: Page) -> None:
    page.goto("/settings/")
    fill(page, "Find a setting", "name")
    submit(page)
    field = page.locator("#site_name")
    tab_to(page, field)
    was = field.input_value()
    for name in ("Corner shop", was):
        tab_to(page, field)
        page.keyboard.press("Control+a")
        page.keyboard.type(name)
        submit(page)
        expect(page.locator(".brand")).to_contain_text(name)


def test_an_invoice_is_made_and_issued(page: Page) -> None:
    page.goto("/billing/manage/")
    press(page, page.get_by_role("link", name="Make an invoice"))
    fill(page, "Customer", "joe")
    # Somebody who bought in several currencies gets an invoice for each.
    tab_to(page, page.get_by_label("Currency", exact=True))
    page.keyboard.type("GBP")
    press(page, page.get_by_role("button", name="Make a draft"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Draft")
    tab_to(page, page.get_by_role("button", name="Issue…"))
    page.keyboard.press("Enter")
    press(page, page.get_by_role("button", name="Issue the invoice"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Invoice")


def test_a_quiz_is_edited(page: Page, goods: Goods) -> None:
    page.goto(f"/quizzes/{goods.quiz}/")
    title = page.locator("[id='title.en']")
    tab_to(page, title)
    page.keyboard.press("End")
    page.keyboard.type(" today")
    expect(page.locator("#saved")).to_have_text("Saved", timeout=20_000)
    page.reload()
    expect(title).to_have_value(re.compile("today$"))
