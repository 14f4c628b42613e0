"""The access to billing. Each part adds the rows of its routes."""

from typing import Any

from accounts.models import User
from tests.access import Access


def _objects(owner: User) -> dict[str, Any]:
    return {}


ACCESS = Access(objects=_objects)
