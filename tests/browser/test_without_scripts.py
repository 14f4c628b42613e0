"""Every page without JavaScript: there to be read, and with nothing on it that does nothing."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Sessions
from tests.browser.goods import Goods
from tests.browser.visits import visits

pytestmark = pytest.mark.system
DEAD = "button[type=button]:not([popovertarget], [commandfor])"
"""Buttons that only a script can make work."""
WAITING = ("Connecting", "Loading")


def _faults(page: Page) -> list[str]:
    faults = []
    headings = page.locator("h1:visible").count()
    if headings != 1:
        faults.append(f"{headings} headings")
    text = page.locator("main").inner_text()
    if not text.strip():
        faults.append("an empty page")
    faults += [f"waits for a script: {word}" for word in WAITING if word in text]
    faults += [
        f"does nothing: {button.inner_text() or button.get_attribute('aria-label')}"
        for button in page.locator(DEAD).all()
        if button.is_visible()
    ]
    return faults


@pytest.mark.parametrize("who", ["guest", "customer", "staff", "newcomer"])
def test_pages_are_there_to_be_read(who: str, sessions: Sessions, goods: Goods) -> None:
    page = sessions(who, java_script_enabled=False).new_page()
    faults = []
    for visit in visits():
        # The style guide shows buttons and states that belong to no page.
        if visit.who == who and not visit.steps and visit.name != "styleguide":
            response = page.goto(visit.path(goods))
            assert response is not None
            assert response.status == visit.status, visit.id
            faults += [f"{visit.id}: {each}" for each in _faults(page)]
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)
