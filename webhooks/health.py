"""Whether somebody delivers what the webhooks are owed."""

from shop.core.health import Unhealthy
from webhooks.steps import is_overdue

OVERDUE_SECONDS = 120
"""A thousand dead endpoints have their turn within that time."""


def check_webhooks() -> None:
    """Raise ``Unhealthy`` where an endpoint waits and no deliverer comes."""
    if is_overdue(OVERDUE_SECONDS):
        raise Unhealthy("no process delivers webhooks")
