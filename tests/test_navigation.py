"""Every page marks the one entry of the navigation that it belongs to."""

import re

import pytest
from django.test import Client

from tests.world import DECLARED, World, world

__all__ = ["world"]

pytestmark = pytest.mark.django_db
GUEST = ["the frame of guests"]
OWN = ("accounts/", "search/", "styleguide/", "q/", "people/invitations/")
"""The beginnings of routes that no entry leads to: one's own account, and what is for everybody."""


def _part(page: str, start: str) -> str:
    return page.partition(start)[2].partition("</nav>")[0]


def _marked(client: Client, path: str) -> tuple[list[str], list[str]]:
    """Return the addresses that a page marks in the side bar, and those of its tabs."""
    answer = client.get(path)
    is_page = answer.status_code == 200 and "html" in answer.get("Content-Type", "")
    page = "" if answer.streaming or not is_page else answer.content.decode()
    if '<body class="guest"' in page:  # A page whose variables hide the reader, for example.
        return GUEST, []
    marked = re.findall(r'href="([^"]+)" aria-current', _part(page, '<nav class="side"'))
    tabs = re.findall(r'href="(/[^"?]*)', _part(page, '<nav class="tabs"'))
    return marked if '<nav class="side"' in page else ["no page"], tabs


@pytest.mark.parametrize("who", ["owner", "admin"])
def test_every_page_marks_one_entry_and_its_tabs_the_same(world: World, who: str) -> None:
    client = world.client(who, api=False)
    wrong, seen = [], 0
    for route in (route for access in DECLARED.values() for route in access.pages):
        if route.startswith(OWN):
            continue
        marked, tabs = _marked(client, world.paths[route])
        if marked == ["no page"]:
            continue
        seen += 1
        # Customers have pages that no entry leads them to, such as their own among the customers.
        few = (1,) if who == "admin" else (0, 1)
        if len(marked) not in few or marked == GUEST:
            wrong.append(f"{route} marks {marked}")
        for tab in tabs:
            other, _ = _marked(client, tab)
            if other != marked:
                wrong.append(f"{route} marks {marked}, but its tab {tab} marks {other}")
    assert wrong == []
    assert seen > (10 if who == "owner" else 50)
