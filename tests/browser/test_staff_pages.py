"""Every page as staff sees it, the admin's lists among them."""

from collections.abc import Callable

import pytest

from tests.browser import checks
from tests.browser.goods import Goods
from tests.browser.looking import Visitor, look, photograph
from tests.browser.visits import Visit, admin_lists, visits

pytestmark = pytest.mark.system
VISITS = [visit for visit in visits() if visit.who == "staff"]


@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: visit.id)
def test_page(visit: Visit, visitors: Callable[[str], Visitor], goods: Goods) -> None:
    faults = look(visitors("staff"), visit, goods)
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
