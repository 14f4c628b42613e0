"""Every page, as a guest, a customer and somebody who has bought nothing yet."""

from collections.abc import Callable

import pytest

from tests.browser.goods import Goods
from tests.browser.looking import Visitor, look
from tests.browser.visits import Visit, visits

pytestmark = pytest.mark.system
VISITS = [visit for visit in visits() if visit.who != "staff"]


@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: visit.id)
def test_page(visit: Visit, visitors: Callable[[str], Visitor], goods: Goods) -> None:
    faults = look(visitors(visit.who), visit, goods)
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)
