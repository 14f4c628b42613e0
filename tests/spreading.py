"""Which process runs a file of tests, where ``pytest -n 3`` spreads them; a plugin of pytest.

A whole system takes seconds to start, and its relay asks for events all the time. So all files that
share one are one piece of work, and those with a browser are another. They are the largest pieces,
and so they come first. Files that share a prepared database are a piece, too.
"""

import re
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

ROOT = Path(__file__).resolve().parent.parent

PIECES = ("browser", "system", "prepared")


@cache
def piece(file: str) -> str:
    """Return the name of the piece that a file belongs to; a file by itself is one."""
    source = (ROOT / file).read_text()
    if re.search(r"^from tests\.browser\b.*^pytestmark = ", source, re.MULTILINE | re.DOTALL):
        return "browser"
    for name in ("system: System", "prepared: dict"):
        if re.search(rf"\b{name}\b", source):
            return name.partition(":")[0]
    return file


def _place(file: str) -> int:
    return PIECES.index(piece(file)) if piece(file) in PIECES else len(PIECES)


class Pieces(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return piece(nodeid.partition("::")[0])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Put the largest pieces first. The tests of a file keep their order."""
    items.sort(key=lambda item: _place(item.nodeid.partition("::")[0]))


def pytest_xdist_make_scheduler(config, log):
    """Hand out pieces; ``--dist load`` and the others still do what they say."""
    return Pieces(config, log) if config.getoption("dist") == "loadfile" else None
