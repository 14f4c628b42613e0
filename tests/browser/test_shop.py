"""The pages in a real browser, on the running system."""

import re
import uuid
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser import checks
from tests.browser.looking import THEMES
from tests.browser.windows import Windows, submit
from tests.system import System, wait_for

pytestmark = pytest.mark.system


def _live(page: Page) -> None:
    page.wait_for_selector("#feed-state[data-state=live]")


def test_a_purchase_appears_live_in_other_windows(windows: Windows):
    buyer, second = windows.sign_in("joe"), windows.sign_in("joe")
    stranger, staff = windows.sign_in("ann"), windows.sign_in("staff")
    staff.goto("/live/")
    for page in (buyer, second, stranger, staff):
        _live(page)
    item = f"live {uuid.uuid4().hex[:8]}"
    # By keyboard alone.
    buyer.focus("#item")
    buyer.keyboard.type(item)
    buyer.keyboard.press("Tab")
    buyer.keyboard.press("Tab")
    buyer.keyboard.type("12.50")
    buyer.keyboard.press("Enter")
    for page in (buyer, second, staff):
        expect(page.locator("#feed-rows tr", has_text=item)).to_have_count(1)
    expect(buyer.locator("#buy-result")).to_contain_text("€12.50")
    # The form is empty, and the next purchase can be typed at once.
    expect(buyer.locator("#item")).to_be_focused()
    expect(buyer.locator("#item")).to_have_value("")
    expect(buyer.locator("#price")).to_have_value("")
    expect(stranger.locator("#feed-rows tr", has_text=item)).to_have_count(0)
    expect(staff.locator("[data-live=count]")).not_to_have_text("0")
    # A reload shows the rows in the same order.
    row = staff.locator("#feed-rows tr").first
    expect(row).to_contain_text(item)
    staff.reload()
    expect(row).to_contain_text(item)
    buyer.get_by_role("link", name="View").click()
    expect(buyer.get_by_role("heading", name=item)).to_be_visible()
    buyer.goto("/")
    buyer.click("#all-buys")
    expect(buyer.locator("#purchases tbody tr", has_text=item)).to_have_count(1)


def test_new_rows_wait_while_somebody_reads(windows: Windows):
    staff, buyer = windows.sign_in("staff"), windows.sign_in("joe")
    staff.goto("/live/")
    _live(staff)

    def buy(item: str) -> None:
        buyer.goto("/")
        buyer.fill("#item", item)
        buyer.fill("#price", "1")
        buyer.click("#buy-button")
        expect(buyer.locator("#buy-result")).to_contain_text("1.00")

    first, second = (f"waits {uuid.uuid4().hex[:8]}" for _ in range(2))
    staff.click("#live-pause")
    buy(first)
    more = staff.locator("[data-feed=more]")
    expect(more).to_contain_text("1 new")
    expect(staff.locator("#feed-rows tr", has_text=first)).to_have_count(0)
    more.click()
    expect(staff.locator("#feed-rows tr", has_text=first)).to_have_count(1)
    staff.click("#live-pause")
    staff.fill("#live-item", "no such item")
    expect(staff.locator("#feed-rows tr:visible")).to_have_count(0)
    buy(second)
    expect(staff.locator("[data-live=count]")).to_have_text("2")
    expect(staff.locator("#feed-rows tr", has_text=second)).to_have_count(0)


def test_an_ended_session_loses_nothing(windows: Windows):
    page = windows.sign_in("joe")
    item = f"kept {uuid.uuid4().hex[:8]}"
    page.fill("#item", item)
    page.fill("#price", "2,50")
    other = page.context.new_page()
    windows.watch(other)
    other.goto("/")
    other.get_by_role("button", name="Account of joe").click()
    submit(other, other.get_by_role("button", name="Sign out"))
    page.click("#buy-button")
    expect(page.locator("#buy-result")).to_contain_text("signed out")
    # After a sign-in in the other window the token is another, and the form is sent all the same.
    other.goto("/accounts/login/")
    other.fill("#id_login", "joe")
    other.fill("#id_password", "demo-joe")
    submit(other)
    page.click("#buy-button")
    expect(page.locator("#buy-result")).to_contain_text("€2.50")
    # Who follows the link instead finds the form filled in.
    page.fill("#item", item)
    page.context.clear_cookies()
    page.click("#buy-button")
    page.get_by_role("link", name="Sign in again").click()
    page.fill("#id_login", "joe")
    page.fill("#id_password", "demo-joe")
    submit(page)
    expect(page.locator("#item")).to_have_value(item)


def test_a_double_click_buys_once_and_an_error_is_shown(windows: Windows):
    page = windows.sign_in("joe")
    _live(page)
    item = f"double {uuid.uuid4().hex[:8]}"
    page.fill("#item", item)
    page.fill("#price", "x")
    page.click("#buy-button")
    expect(page.locator("#errors")).to_be_focused()
    expect(page.locator("#price")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#price")).to_have_attribute("aria-describedby", re.compile("price-error"))
    expect(page.locator("#item")).to_have_value(item)
    page.fill("#price", "3")
    page.dblclick("#buy-button")
    expect(page.locator("#feed-rows tr", has_text=item)).to_have_count(1)
    page.goto(f"/purchases/?item={item}")
    expect(page.locator("#purchases tbody tr")).to_have_count(1)
    page.goto("/purchases/?since=foo")
    expect(page.locator("#since-error")).to_be_visible()
    expect(page.get_by_text("No purchases match")).to_have_count(0)
    expect(page.get_by_text("Export")).to_have_count(0)


def test_the_shop_buys_without_javascript(windows: Windows):
    page = windows.sign_in("joe", java_script_enabled=False)
    page.fill("#item", "no script")
    page.fill("#price", "4.75")
    page.click("#buy-button")
    expect(page.locator(".messages")).to_contain_text("€4.75")
    expect(page.locator("#feed-state")).to_contain_text("Does not update by itself")
    page.fill("#price", "-1")
    page.click("#buy-button")
    expect(page.locator("#errors")).to_contain_text("0 or more")
    expect(page.locator("#price")).to_have_value("-1")


def test_the_feed_resumes_when_the_server_comes_back(windows: Windows, system: System):
    page = windows.sign_in("joe")
    _live(page)
    system.kill("uvicorn")
    page.wait_for_selector("#feed-state[data-state=lost]")
    wait_for(system.healthy)
    item = f"back {uuid.uuid4().hex[:8]}"
    body = {"item": item, "price": 1}
    assert system.request("POST", "/api/v1/purchases/", body, system.token("joe")).status == 201
    expect(page.locator("#feed-rows tr", has_text=item)).to_have_count(1, timeout=25_000)


def test_sign_up_verify_and_forgotten_password(windows: Windows, system: System):
    name = f"eve{uuid.uuid4().hex[:6]}"
    page = windows.open("/accounts/signup/")
    page.fill("#id_username", name)
    page.fill("#id_email", f"{name}@example.com")
    page.fill("#id_password1", "orchid-lamp-42")
    page.fill("#id_password2", "orchid-lamp-42")
    page.keyboard.press("Enter")
    expect(page.locator("#buy")).to_be_visible()

    def link(pattern: str) -> str | None:
        for mail in reversed(system.mails()):
            if mail["To"] == f"{name}@example.com":
                found = re.search(rf"https?://\S+({pattern}\S+)", mail.get_content())
                if found:
                    return found[1]
        return None

    page.goto(wait_for(lambda: link("/accounts/confirm-email/")))
    submit(page, page.get_by_role("button", name="Yes, verify it"))
    page.goto("/accounts/email/")
    expect(page.locator("main")).to_contain_text(re.compile("verified", re.IGNORECASE))
    page.get_by_role("button", name=f"Account of {name}").click()
    submit(page, page.get_by_role("button", name="Sign out"))
    page.goto("/accounts/password/reset/")
    page.fill("#id_email", f"{name}@example.com")
    submit(page)
    page.goto(wait_for(lambda: link("/accounts/password/reset/key/")))
    page.fill("#id_password1", "violet-chair-77")
    page.fill("#id_password2", "violet-chair-77")
    submit(page)
    expect(page).to_have_url(re.compile("/accounts/password/reset/key/done/$"))
    windows.sign_in(name, "violet-chair-77")


def test_a_statement_goes_from_request_to_download(windows: Windows):
    page = windows.sign_in("joe")
    page.goto("/reports/")
    submit(page, page.locator("main form button"))
    row = page.locator("#reports tbody tr").first
    expect(row).to_have_attribute("data-status", "sent", timeout=30_000)
    with page.expect_download() as download:
        row.get_by_role("link", name="Download").click()
    with open(download.value.path(), "rb") as file:
        assert file.read(5) == b"%PDF-"


def test_pages_that_are_not_ones_own(windows: Windows):
    page = windows.sign_in("joe")
    for path, status in (("/live/", 403), ("/nothing/", 404)):
        response = page.goto(path)
        assert response is not None
        assert response.status == status
    response = page.goto("/admin/")
    assert "/admin/login/" in page.url
    stranger = windows.open("/purchases/")
    assert "/accounts/login/" in stranger.url


def test_admin_and_documentation_work_under_the_content_security_policy(windows: Windows):
    page = windows.sign_in("staff")
    for path in (
        "",
        "purchases/purchase/",
        "events/event/",
        "accounts/user/",
        "reports/report/",
    ):
        response = page.goto(f"/admin/{path}")
        assert response is not None
        assert response.status == 200
    page.goto("/documentation")
    page.locator("#swagger-ui").scroll_into_view_if_needed()
    expect(page.locator(".opblock").first).to_be_visible(timeout=20_000)
    # Swagger UI renders a long list only where the reader is.
    shown: set[str] = set()
    page.mouse.move(600, 400)
    for _ in range(100):
        shown |= set(page.locator(".opblock").evaluate_all("all => all.map(one => one.id)"))
        if len(shown) > 15:
            break
        page.mouse.wheel(0, 300)
        page.wait_for_timeout(50)
    assert len(shown) > 15
    # A link to a route far below opens it.
    page.evaluate("location.hash = '#/webhooks/webhooks_list'")
    expect(page.locator(".opblock.is-open")).to_have_id("operations-webhooks-webhooks_list")
    expect(page.locator(".opblock.is-open")).to_be_in_viewport()
    # An open operation with a body can be read on a phone, in both themes.
    page.evaluate("location.hash = '#/billing/coupons_create'")
    expect(page.locator("#operations-billing-coupons_create .body-param__example")).to_be_visible()
    for theme in THEMES:
        # A colour on its way from one theme to the other is of neither.
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        assert checks.wide(page, 320) == []
        assert [each for each in checks.violations(page) if "contrast" in each] == []


def test_no_page_is_wider_than_a_phone(windows: Windows):
    page = windows.sign_in("joe", viewport={"width": 360, "height": 740})
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for path in ("/", "/purchases/", "/reports/", "/accounts/email/", "/nothing/"):
        page.goto(path)
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            red, green, blue = map(int, re.findall(r"\d+", ground)[:3])
            assert (max(red, green, blue) < 64) == (scheme == "dark"), (path, scheme)


def test_one_long_word_pushes_no_column_out_of_sight(windows: Windows):
    page = windows.sign_in("ann")
    word = "w" * 200
    page.fill("#item", word)
    page.fill("#price", "1")
    page.click("#buy-button")
    expect(page.get_by_text(word).first).to_be_visible()
    for path in ("/", "/purchases/"):
        page.goto(path)
        expect(page.get_by_text(word).first).to_be_visible()
        for table in page.locator(".scroll:visible").all():
            assert table.evaluate("box => box.scrollWidth <= box.clientWidth"), path
