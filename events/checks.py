"""System checks, with ids, of the events and followers that the apps declare."""

import re
from collections import Counter
from typing import Any

import msgspec
from django.core.checks import CheckMessage, Error, register

from accounts.permissions import Permission
from events.followers import every_declared
from events.models import FollowerCursor
from events.types import EventType, declared

NUMBER_MAX = 2**15 - 1
NAME_MAX_LENGTH = 64
_NAME = re.compile(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*", re.ASCII)
_PARTS = frozenset(permission.part for permission in Permission)


@register
def event_types(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """events.E001 to E003: two types share a name or a number, or a declaration is invalid."""
    types = declared()
    messages: list[CheckMessage] = []
    for id, what, values in (
        ("events.E001", "number", Counter(type.number for type in types)),
        ("events.E002", "name", Counter(type.name for type in types)),
    ):
        messages += [
            Error(f"{count} types of events have the {what} {value}.", id=id)
            for value, count in values.items()
            if count > 1
        ]
    messages += [
        Error(f"The type of events {type.name!r} {fault}.", id="events.E003")
        for type in types
        for fault in _faults(type)
    ]
    return messages


@register
def followers(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """events.E004: two followers share a name, or a name does not fit its row."""
    names = Counter(follower.name for follower in every_declared())
    return [
        Error(f"{count} followers are called {name!r}.", id="events.E004")
        for name, count in names.items()
        if count > 1 or not 1 <= len(name) <= FollowerCursor.NAME_MAX_LENGTH
    ]


def _faults(type: EventType) -> list[str]:
    faults = []
    if not 1 <= type.number <= NUMBER_MAX:
        faults.append(f"has no number from 1 to {NUMBER_MAX}")
    if not _NAME.fullmatch(type.name) or len(type.name) > NAME_MAX_LENGTH:
        faults.append("is not named like invoice.issued")
    if type.part not in _PARTS:
        faults.append(f"belongs to {type.part!r}, of which there are no permissions")
    if type.load is None and not _forbids_extras(type.data):
        faults.append("stores data that are no msgspec.Struct(forbid_unknown_fields=True)")
    return faults


def _forbids_extras(data: Any) -> bool:
    return (
        isinstance(data, type)
        and issubclass(data, msgspec.Struct)
        and data.__struct_config__.forbid_unknown_fields
    )
