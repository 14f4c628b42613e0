"""The relay's numbering, for tests without a relay."""

from django.db import connection

from events.numbering import BATCH, MOVE_OLDEST
from events.representation import Row
from events.selectors import latest_position


def number(statement: str = MOVE_OLDEST, limit: int = BATCH) -> list[Row]:
    """Give events their positions, in the test's own transaction; return them in order."""
    with connection.cursor() as cursor:
        cursor.execute(
            statement, {"xid": 0, "open": [], "limit": limit, "position": latest_position()}
        )
        return [Row(*row[:7]) for row in cursor.fetchall()]
