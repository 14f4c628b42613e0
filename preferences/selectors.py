"""The settings as people and programs see them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection
from django.db.models import OuterRef, QuerySet, Subquery

from accounts.models import User
from preferences.models import Change
from shop.core import site_settings
from shop.core.site_settings import Setting

# One statement, so that all of it is of one version.
_SHOWN = f"""
SELECT (SELECT coalesce(max(version), 0) FROM {Change._meta.db_table}),
    known.name, last.value, last.changed_at, account.username
FROM unnest(%s::text[]) AS known (name)
LEFT JOIN LATERAL (
    SELECT value, changed_at, changed_by_id FROM {Change._meta.db_table}
    WHERE name = known.name ORDER BY version DESC LIMIT 1
) AS last ON true
LEFT JOIN {User._meta.db_table} AS account ON account.id = last.changed_by_id
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting, its value, where that is from, and who changed it last."""

    setting: Setting[Any]
    value: Any
    source: str
    unfit: str
    updated_at: datetime | None
    updated_by: str | None

    @property
    def readonly(self) -> bool:
        """Return whether the environment fixes it."""
        return self.source == "environment"


def shown_settings() -> tuple[int, list[Shown]]:
    """Return the version of the database, and all settings in it, in the order of the sections."""
    registry = site_settings.registry()
    with connection.cursor() as cursor:
        cursor.execute(_SHOWN, [list(registry)])
        rows = cursor.fetchall()
    stored = {
        name: msgspec.json.decode(value)
        for _version, name, value, _at, _by in rows
        if value is not None
    }
    last = {name: (at, by) for _version, name, _value, at, by in rows}
    values, unfit = site_settings.effective(stored)
    return rows[0][0], [
        Shown(setting, values[name], _source(name, stored, unfit), unfit.get(name, ""), *last[name])
        for name, setting in registry.items()
    ]


def _source(name: str, stored: Mapping[str, Any], unfit: Mapping[str, str]) -> str:
    if name in site_settings.fixed():
        return "environment"
    return "database" if name in stored and name not in unfit else "default"


def history(name: str | None = None) -> QuerySet[Change]:
    """Return the changes, of one setting if it is named; ``previous`` is the value before."""
    before = Change.objects.filter(name=OuterRef("name"), version__lt=OuterRef("version"))
    changes = Change.objects.annotate(
        previous=Subquery(before.order_by("-version").values("value")[:1])
    )
    return changes.filter(name=name) if name else changes


def brief_value(name: str, value: Any) -> Any:
    """Return a value as the history has it: pictures are told apart by a digest."""
    setting = site_settings.registry().get(name)
    return value if setting is None or value is None else setting.brief(value)


def names_of(accounts: Iterable[int | None]) -> dict[int | None, str]:
    """Return the usernames of accounts by id."""
    known = User.objects.filter(pk__in={account for account in accounts if account is not None})
    return dict(known.values_list("pk", "username"))
