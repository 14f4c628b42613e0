"""One browser for all tests of pages, and one site with awkward names in it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.goods import Goods, stock
from tests.browser.windows import Windows, chromium
from tests.system import System


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
