"""The settings of the database in this process: read at its start, and after each change."""

import threading
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from preferences.models import Change
from shop.core import site_settings
from shop.core.process import Process
from shop.core.site_settings import Snapshot

REFRESH_SECONDS = 1.5
"""So a change is in force everywhere within this time and that of two short queries."""

_TABLE = Change._meta.db_table
_VERSION = f"SELECT coalesce(max(version), 0) FROM {_TABLE}"  # noqa: S608
# One statement reads one version. The last change of each known name is one step in the index,
# however long the history is.
_STORED = f"""
SELECT ({_VERSION}), known.name, last.value
FROM unnest(%s::text[]) AS known (name)
LEFT JOIN LATERAL (
    SELECT value FROM {_TABLE} WHERE name = known.name AND version <= %s
    ORDER BY version DESC LIMIT 1
) AS last ON true
"""  # noqa: S608
_LATEST = 2**63 - 1

_loading = threading.Lock()
_loaded_in: UUID | None = None


def stored(version: int = _LATEST) -> tuple[int, dict[str, Any]]:
    """Return the present version, and the values that the database has at ``version``, by name."""
    with connection.cursor() as cursor:
        cursor.execute(_STORED, [list(site_settings.registry()), version])
        rows = cursor.fetchall()
    return rows[0][0], {
        name: msgspec.json.decode(value) for _present, name, value in rows if value is not None
    }


def present_version() -> int:
    """Return the version of the database, 0 before the first change."""
    with connection.cursor() as cursor:
        cursor.execute(_VERSION)
        version: int = cursor.fetchone()[0]
    return version


def load() -> Snapshot:
    """Put the settings of the database in force in this process."""
    # Whoever reads later reads the later version, so an older one never replaces it.
    with _loading:
        return site_settings.install(*stored())


def refresh(process: Process) -> float:
    """Load the settings if they are new to this process. Return when to look again."""
    global _loaded_in
    if process.id != _loaded_in or present_version() != site_settings.version():
        load()
        _loaded_in = process.id
    return REFRESH_SECONDS
