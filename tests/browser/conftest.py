"""One browser for all tests of pages, and one site with awkward names in it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext

from tests.browser.goods import Goods, stock
from tests.browser.looking import Visitor
from tests.browser.windows import Windows, chromium
from tests.system import System

SEEN_AT: dict[str, Any] = {"locale": "en-GB", "timezone_id": "Europe/Berlin"}
Sessions = Callable[..., BrowserContext]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def goods(system: System) -> Goods:
    """The site's accounts and purchases, whose names are as awkward as they may be."""
    return stock(system)


@pytest.fixture
def problems() -> Iterator[list[str]]:
    """The complaints of the browser, such as a blocked script. There must be none."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def windows(browser: Browser, system: System, problems: list[str]) -> Iterator[Windows]:
    opened = Windows(browser, system.url, problems)
    yield opened
    opened.close()


@pytest.fixture(scope="package")
def sessions(browser: Browser, system: System, goods: Goods) -> Iterator[Sessions]:
    """Return a function that opens a context of an actor, signed in once for all of them."""
    states: dict[str, Any] = {"guest": None}
    opened: list[BrowserContext] = []
    names = {"customer": goods.customer, "newcomer": goods.newcomer, "staff": "staff"}

    def session(who: str, **options: Any) -> BrowserContext:
        if who not in states:
            windows = Windows(browser, system.url, [])
            page = windows.sign_in(names[who], goods.password(names[who]), **SEEN_AT)
            states[who] = page.context.storage_state()
            windows.close()
        context = browser.new_context(
            base_url=system.url, storage_state=states[who], **SEEN_AT, **options
        )
        context.set_default_timeout(15_000)
        opened.append(context)
        return context

    yield session
    for context in opened:
        context.close()


@pytest.fixture(scope="package")
def visitors(sessions: Sessions, browser: Browser, system: System) -> Callable[[str], Visitor]:
    found: dict[str, Visitor] = {}

    def visitor(who: str) -> Visitor:
        if who not in found:
            windows = Windows(browser, system.url, [])
            page = sessions(who).new_page()
            # Each page has axe from the start, because to send it takes longer than a check.
            page.add_init_script(AXE_SCRIPT)
            found[who] = Visitor(page, windows.problems)
            windows.watch(page)
        return found[who]

    return visitor
