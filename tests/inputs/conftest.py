"""Fixtures of the tests of bad input."""

import pytest

from tests.limits import forget_limits
from tests.system import System


@pytest.fixture(scope="module")
def joe(system: System) -> str:
    """Return a token of joe's."""
    forget_limits(system)
    return system.token("joe")
