"""Names that belonged to somebody who was erased. Apps declare how to find them."""

from collections.abc import Sequence

from shop.core.apps import declared

Names = tuple[str | None, str | None]


def erased_places(names: Sequence[Names]) -> set[int]:
    """Return the places of those ``(userid, username)`` that nobody may take for a while."""
    found: set[int] = set()
    for find in declared("erased_names"):
        found |= find(names)
    return found
