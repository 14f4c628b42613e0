"""The types of events that the apps declare.

The module that an app names as its ``event_types`` holds them as ``EVENT_TYPES``::

    class InvoiceIssued(msgspec.Struct, forbid_unknown_fields=True):
        number: str
        total: Decimal

    INVOICE_ISSUED = EventType(
        "invoice.issued", 20, "billing", "An invoice got its number.", InvoiceIssued
    )
    EVENT_TYPES = (INVOICE_ISSUED,)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import Any
from uuid import UUID

import msgspec

from accounts.permissions import permission_of, sufficient
from shop.core.apps import shop_apps

Load = Callable[[Sequence[UUID]], Mapping[UUID, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of events: its name in the API, and its number in the log, which is never reused.

    A caller that may read the ``part`` sees the events, its own or everybody's. ``data`` is the
    ``msgspec.Struct`` that is stored with each event. A type with ``load`` stores nothing: the
    loader finds, by the events' keys, all that they show beside position and name. ``data`` is then
    any type for which msgspec makes a schema. Events with ``teams`` may be about a team, whose
    members see them as their own. Those about no team and no customer are seen so by everybody with
    the part's ``write_all``.
    """

    name: str
    number: int
    part: str
    description: str
    data: Any
    load: Load | None = None
    teams: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the data."""
        return msgspec.json.schema(self.data)

    def needed(self, *, everything: bool) -> str:
        """Return the permission to read the events, the caller's own or everybody's."""
        own = f"{self.part}:read"
        return f"{own}_all" if everything or not _is_permission(own) else own

    def is_readable(self, permissions: int, *, everything: bool) -> bool:
        """Return whether these permissions allow to read the events, own ones or everybody's."""
        needed = permission_of(self.needed(everything=everything))
        return permissions & sufficient(needed) != 0


def _is_permission(code: str) -> bool:
    try:
        permission_of(code)
    except KeyError:
        return False
    return True


@cache
def declared() -> tuple[EventType, ...]:
    """Return every type that an app declares, by number."""
    types: list[EventType] = []
    for config in shop_apps():
        if config.event_types:
            types += import_module(config.event_types).EVENT_TYPES
    return tuple(sorted(types, key=lambda type: type.number))


@cache
def _by_number() -> dict[int, EventType]:
    return {type.number: type for type in declared()}


@cache
def _by_name() -> dict[str, EventType]:
    return {type.name: type for type in declared()}


def numbered(number: int) -> EventType | None:
    """Return the type with the number; ``None`` where this version of the shop has none."""
    return _by_number().get(number)


def named(name: str) -> EventType | None:
    """Return the type with the name, if there is one."""
    return _by_name().get(name)


@lru_cache(maxsize=1000)
def readable(permissions: int, *, everything: bool) -> frozenset[int]:
    """Return the numbers of the types that these permissions allow to read."""
    return frozenset(
        type.number for type in declared() if type.is_readable(permissions, everything=everything)
    )


@cache
def team_types() -> frozenset[int]:
    """Return the numbers of the types whose events may be about a team."""
    return frozenset(type.number for type in declared() if type.teams)


@cache
def team_parts() -> tuple[str, ...]:
    """Return the parts that have such types, sorted."""
    return tuple(sorted({type.part for type in declared() if type.teams}))


def forget_declared() -> None:
    """Forget the cached types, for tests that declare types of their own."""
    for remembered in (
        declared,
        _by_number,
        _by_name,
        readable,
        team_types,
        team_parts,
    ):
        remembered.cache_clear()
