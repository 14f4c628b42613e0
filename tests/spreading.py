"""Which process runs a file of tests, where ``pytest -n 4`` spreads them; a plugin of pytest.

A whole system takes seconds to start, and its relay asks for events all the time. So all files that
share one are one piece of work. Those with a browser are two more, because one would still run when
all else has ended: that of the pages with ``goods``, and that of the others. They are the largest
pieces, and so they come first. Files that share a prepared database are a piece, too. Then the
files in this folder come, which take longer than those of the apps. Once a process has run the last
file with a system, it stops the system.
"""

import re
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

ROOT = Path(__file__).resolve().parent.parent

PIECES = ("system", "goods", "browser", "prepared")
WITH_SYSTEM = PIECES[:3]


@cache
def piece(file: str) -> str:
    """Return the name of the piece that a file belongs to; a file by itself is one."""
    source = (ROOT / file).read_text()
    if re.search(r"^from tests\.browser\b.*^pytestmark = ", source, re.MULTILINE | re.DOTALL):
        return "goods" if re.search(r"\bgoods: Goods\b", source) else "browser"
    for name in ("system: System", "prepared: dict"):
        if re.search(rf"\b{name}\b", source):
            return name.partition(":")[0]
    return file


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _place(file: str) -> int:
    if piece(file) in PIECES:
        return PIECES.index(piece(file))
    return len(PIECES) + (not file.startswith("tests/"))


class Pieces(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return piece(nodeid.partition("::")[0])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Put the largest pieces first. The tests of a file keep their order."""
    items.sort(key=lambda item: _place(_file(item)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """Stop the system after its last file, because its relay polls fifty times a second.

    A test that needs it all the same later gets a new one.
    """
    result = yield
    if piece(_file(item)) in WITH_SYSTEM and (
        nextitem is None or piece(_file(nextitem)) not in WITH_SYSTEM
    ):
        for fixture in item.session._fixturemanager.getfixturedefs("system", item):
            fixture.finish(item._request)
    return result


def pytest_xdist_make_scheduler(config, log):
    """Hand out pieces; ``--dist load`` and the others still do what they say."""
    return Pieces(config, log) if config.getoption("dist") == "loadfile" else None
