"""Whether a restore of a backup has ended.

A backup brings back who was erased since and what was revoked since, until the journal is replayed.
Meanwhile the database has the setting ``shop.not_replayed``, and nothing serves from it.
"""

from django.db import connection

NOT_REPLAYED = (
    "A restore has not ended: what was erased and revoked since the backup may be back. Replay the"
    " journal first; see *Nobody comes back* in docs/operations.md."
)


# The session's own value would be that of the time when it was opened.
_MARKED = """
SELECT FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase,
    unnest(setconfig) AS setting
WHERE datname = current_database() AND setrole = 0 AND setting LIKE 'shop.not\\_replayed=%'
"""


def is_replayed() -> bool:
    """Return whether no restore waits for its journal."""
    with connection.cursor() as cursor:
        cursor.execute(_MARKED)
        return cursor.rowcount == 0
