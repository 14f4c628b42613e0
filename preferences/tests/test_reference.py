"""The documentation of the settings is made from their declarations."""

from pathlib import Path

import pytest
from django.conf import settings

from preferences.reference import PLACES, written


@pytest.mark.parametrize("path", PLACES, ids=str)
def test_what_is_written_is_current(path: Path) -> None:
    assert (settings.BASE_DIR / path).read_text() == written(path), "Run `make settings`."
