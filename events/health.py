"""Whether a relay leads and keeps up."""

from django.db import connection

from shop.core.health import Unhealthy

# The key of the advisory lock that the leading relay holds: "shop" in ASCII.
RELAY_LOCK = 0x73686F70
RELAY_LAG_SECONDS = 10

_RELAY = f"""
SELECT
  EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = {RELAY_LOCK}
      AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())),
  coalesce((
    SELECT extract(epoch FROM clock_timestamp() - purchase.received_at)
    FROM purchases_event AS event
    JOIN purchases_purchase AS purchase ON purchase.id = event.purchase_id
    WHERE event.position IS NULL ORDER BY event.purchase_id LIMIT 1), 0)
"""  # noqa: S608


def check_relay() -> None:
    """Raise ``Unhealthy`` where no relay leads, or events wait longer than they should."""
    with connection.cursor() as cursor:
        cursor.execute(_RELAY)
        leading, lag = cursor.fetchone() or (False, 0)
    if not leading:
        raise Unhealthy("no relay leads")
    if lag > RELAY_LAG_SECONDS:
        raise Unhealthy(f"events wait for {lag:.0f} s")
