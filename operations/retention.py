"""How long the rows of each series are kept."""

from operations.series import HOURS_KEEP_DAYS
from operations.site_settings import OPERATIONS_KEEP_DAYS
from shop.core.partitions import Retention

SESSIONS_KEEP_DAYS = 90


def minutes_days() -> int:
    """Return how many days minutes are kept."""
    return OPERATIONS_KEEP_DAYS.value


RETENTIONS = (
    Retention("operations_minute", days=minutes_days),
    Retention("operations_presence", days=minutes_days),
    Retention("operations_hour", days=lambda: HOURS_KEEP_DAYS, every="month"),
    Retention("operations_observedhour", days=lambda: HOURS_KEEP_DAYS, every="month"),
    Retention("operations_sessionevent", days=lambda: SESSIONS_KEEP_DAYS, every="month"),
)
