"""Looking at a page: its pictures, and what is wrong with it.

The pictures are kept in ``build/pages``, to be looked at. No test compares them, so they are taken
only with ``PICTURES=all`` in the environment, in every size and theme, as the project's CI does.
"""

import os
from dataclasses import dataclass
from typing import Literal

from playwright.sync_api import Page

from tests.browser import checks
from tests.browser.goods import Goods
from tests.browser.visits import Visit
from tests.system import ROOT

FOLDER = ROOT / "build" / "pages"
Theme = Literal["light", "dark"]
SIZES = {1280: 900, 390: 844, 320: 640}
THEMES: tuple[Theme, ...] = ("light", "dark")
LONGEST = 2_400
"""Pixels of a page's height that a picture shows."""
# The two layouts have different elements, so each theme is looked at in one.
LOOKS = (("light", 1280), ("dark", 390))
TAKES_PICTURES = os.environ.get("PICTURES") == "all"


@dataclass
class Visitor:
    """The one window of an actor, and the browser's complaints in it."""

    page: Page
    problems: list[str]


def photograph(page: Page, name: str, width: int, theme: Theme) -> None:
    """Show the page in a size, and take its picture if pictures are asked for."""
    page.set_viewport_size({"width": width, "height": SIZES[width]})
    if not TAKES_PICTURES:
        return
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
            page.fill(selector, typed.strip())
            if typed.endswith("\n"):
                page.press(selector, "Enter")
        else:
            page.locator(selector).first.click()
    if visit.steps:
        page.wait_for_selector("[aria-invalid=true], [role=alert], .errorlist, .bad")


def look(visitor: Visitor, visit: Visit, goods: Goods) -> list[str]:
    """Take the pictures of a page. Return what is wrong with it."""
    page = visitor.page
    visitor.problems.clear()
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    arrive(page, visit, goods)
    faults = [f"covers rows: {each}" for each in checks.covered_rows(page)]
    faults += [f"no such icon: {each}" for each in checks.missing_icons(page)]
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        for width in SIZES:
            if (theme, width) in LOOKS or TAKES_PICTURES:
                photograph(page, visit.id, width, theme)
            if (theme, width) in LOOKS:
                faults += [f"{theme}: {each}" for each in checks.violations(page)]
    # Each change of the size costs as much as a check, and the last size is the next page's first.
    faults += checks.wide(page, 320) + checks.wide(page, 320, "rtl")
    faults += checks.wide(page, 640)  # a window of 1280 at 200 %
    faults += checks.wide(page, 1280, "rtl")
    faults += [f"unseen focus: {each}" for each in checks.unseen_focus(page)]
    faults += [f"moves: {each}" for each in checks.moving(page)]
    return faults + visitor.problems
