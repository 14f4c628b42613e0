"""Whether a relay leads and keeps up."""

from django.db import connection

from shop.core.health import Unhealthy

# The key of the advisory lock that the leading relay holds: "shop" in ASCII.
RELAY_LOCK = 0x73686F70
RELAY_LAG_SECONDS = 10

# The outbox has no order to query by, and is short while a relay works.
WAITING = """
SELECT count(*), coalesce(extract(epoch FROM
         clock_timestamp() - min(uuid_extract_timestamp(id))), 0)
FROM (SELECT id FROM events_outbox LIMIT 10000) AS waiting
"""
_LEADING = f"""
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = {RELAY_LOCK}
      AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""  # noqa: S608


def waiting() -> tuple[int, float]:
    """Return how many events wait for a position, 10 000 at most, and the first one's age in s."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        count, age = cursor.fetchone() or (0, 0)
    return count, max(0.0, float(age))


def check_relay() -> None:
    """Raise ``Unhealthy`` where no relay leads, or events wait too long for a position."""
    with connection.cursor() as cursor:
        cursor.execute(_LEADING)
        (leading,) = cursor.fetchone() or (False,)
    if not leading:
        raise Unhealthy("no relay leads")
    _, lag = waiting()
    if lag > RELAY_LAG_SECONDS:
        raise Unhealthy(f"events wait for {lag:.0f} s")
