from typing import Any

import pytest

from people.tests.conftest import make
from tests.callers import Api


class Settings(Api):
    """A client of the API of settings, whose commits take place, as far as others see."""

    def __init__(self, user: Any, committed: Any) -> None:
        super().__init__(user)
        self._committed = committed

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        with self._committed(execute=True):
            return super().__call__(method, path, body, **headers)

    def change(self, **values: Any) -> Any:
        return self("PATCH", "settings/", values)

    def values(self) -> dict[str, Any]:
        return {each["name"]: each for each in self("GET", "settings/").json()["settings"]}


@pytest.fixture(autouse=True)
def _restored(site_settings: Any) -> None:
    """Put back what was in force."""


@pytest.fixture
def operator(db: None, django_capture_on_commit_callbacks: Any) -> Settings:
    return Settings(make("olga", "operator"), django_capture_on_commit_callbacks)
