"""Fixtures of the tests of ``make run``."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.toy_site import MakeSite, Site


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[MakeSite]:
    """Return a function that makes a site from a Procfile. Every site is stopped in the end."""
    sites: list[Site] = []

    def make(procfile: str, name: str = "site") -> Site:
        sites.append(Site(tmp_path / name, procfile))
        return sites[-1]

    yield make
    for site in sites:
        if hasattr(site, "process"):
            site.clean_up()
