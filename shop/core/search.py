"""The search over everything that the apps declare."""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise

from shop.core.apps import declared


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found: what it is, its name, a line that tells it apart, and its page."""

    kind: str | Promise
    label: str | Promise
    detail: str | Promise
    url: str


def search(caller: Any, text: str, limit: int) -> list[Hit]:
    """Return what the caller may see and ``text`` names, at most ``limit`` of each app's search."""
    return [hit for find in declared("searches") for hit in find(caller, text, limit)]
