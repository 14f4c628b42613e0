"""What waits for somebody, as all apps declare it."""

from typing import Any

from accounts.access import Caller
from insight.remembered import remembered
from shop.core.panels import Attention, attention_for

SECONDS = 15.0


def attention(caller: Caller) -> list[Attention]:
    """Return what waits for the caller, at most some seconds old.

    Callers with the same permissions share it.
    """
    return remembered(
        f"attention:{caller.permissions}", lambda: attention_for(caller), fresh_seconds=SECONDS
    )


def count_for(user: Any) -> int:
    """Return how many things wait for the user, for the navigation."""
    return len(attention(Caller.of(user)))
