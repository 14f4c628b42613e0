"""What waits for somebody, as all apps declare it."""

from typing import Any

from accounts.access import Caller
from insight.remembered import remembered
from shop.core.outages import is_outage
from shop.core.panels import Attention, attention_for

SECONDS = 30.0


def attention(caller: Caller) -> list[Attention]:
    """Return what waits for the caller, at most some seconds old.

    Callers with the same permissions share it.
    """
    return remembered(
        f"attention:{caller.permissions}", lambda: attention_for(caller), fresh_seconds=SECONDS
    )


def count_for(user: Any) -> int:
    """Return how many things wait for the user, for the navigation, or 0 in an outage."""
    try:
        return len(attention(Caller.of(user)))
    except Exception as error:
        # A page is worth more than its count.
        if not is_outage(error):
            raise
        return 0
