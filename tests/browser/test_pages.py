"""Every page, as everybody who may see it: photographed, and checked for what all pages must be.

The pictures are kept in ``build/pages``, to be looked at.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import checks
from tests.browser.conftest import Sessions
from tests.browser.goods import Goods
from tests.browser.visits import Visit, admin_lists, visits
from tests.browser.windows import Windows
from tests.system import ROOT, System

pytestmark = pytest.mark.system
FOLDER = ROOT / "build" / "pages"
SIZES = {1280: 900, 390: 844, 320: 640}
LONGEST = 2_400
"""Pixels of a page's height that a picture shows."""


@dataclass
class Visitor:
    """The one window of an actor, and the browser's complaints in it."""

    page: Page
    problems: list[str]


@pytest.fixture(scope="module")
def visitors(sessions: Sessions, browser: Browser, system: System) -> Callable[[str], Visitor]:
    found: dict[str, Visitor] = {}

    def visitor(who: str) -> Visitor:
        if who not in found:
            windows = Windows(browser, system.url, [])
            found[who] = Visitor(sessions(who).new_page(), windows.problems)
            windows.watch(found[who].page)
        return found[who]

    return visitor


def photograph(page: Page, name: str, width: int, theme: str) -> None:
    page.set_viewport_size({"width": width, "height": SIZES[width]})
    height = min(int(page.evaluate("document.documentElement.scrollHeight")), LONGEST)
    page.screenshot(
        path=FOLDER / f"{name}-{width}-{theme}.jpg",
        type="jpeg",
        quality=70,
        full_page=True,
        clip={"x": 0, "y": 0, "width": width, "height": max(height, SIZES[width])},
    )


def arrive(page: Page, visit: Visit, goods: Goods) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    response = page.goto(visit.path(goods))
    assert response is not None
    assert response.status == visit.status
    assert response.headers["content-type"].startswith("text/html"), "Name it in NO_PAGES."
    for selector, typed in visit.steps:
        if typed:
            page.fill(selector, typed)
        else:
            page.locator(selector).first.click()
    if visit.steps:
        page.wait_for_selector("[aria-invalid=true], [role=alert], .errorlist, .bad")


@pytest.mark.parametrize("visit", [*visits()], ids=lambda visit: visit.id)
def test_page(visit: Visit, visitors: Callable[[str], Visitor], goods: Goods) -> None:
    visitor = visitors(visit.who)
    page = visitor.page
    visitor.problems.clear()
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    arrive(page, visit, goods)
    faults = [f"covers rows: {each}" for each in checks.covered_rows(page)]
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for width in SIZES:
            photograph(page, visit.id, width, theme)
            # The two layouts have different elements, so each theme is looked at in one.
            if (theme, width) in (("light", 1280), ("dark", 390)):
                faults += [f"{theme}: {each}" for each in checks.violations(page)]
    faults += checks.wide(page, 320)
    faults += checks.wide(page, 640)  # a window of 1280 at 200 %
    faults += checks.wide(page, 320, "rtl") + checks.wide(page, 1280, "rtl")
    faults += [f"unseen focus: {each}" for each in checks.unseen_focus(page)]
    faults += [f"moves: {each}" for each in checks.moving(page)]
    faults += visitor.problems
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


def test_the_admin(visitors: Callable[[str], Visitor], goods: Goods) -> None:
    """The admin's lists, and the first object of each."""
    visitor = visitors("staff")
    page = visitor.page
    visitor.problems.clear()
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    faults: list[str] = []
    for path in admin_lists():
        for what in ("list", "object"):
            name = f"staff-{path.strip('/').replace('/', '-')}-{what}"
            if what == "list":
                response = page.goto(path)
                assert response is not None
                assert response.status == 200, path
            else:
                first = page.locator("#result_list th a").first
                if not first.count():
                    continue
                with page.expect_navigation():
                    first.click()
            photograph(page, name, 1280, "light")
            faults += [f"{path} {what}: {each}" for each in checks.violations(page)]
    faults += visitor.problems
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)
