"""The types of events that the apps declare."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

Load = Callable[[Sequence[UUID]], Mapping[UUID, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of events: its name in the API, and its number in the log, never used again.

    ``load`` returns by key what an event of the type says beside its position and its type.
    """

    name: str
    number: int
    load: Load


_types: dict[int, EventType] = {}


def register(type: EventType) -> EventType:
    """Add a type; raise ``ValueError`` where its number or its name is taken."""
    for other in _types.values():
        if other != type and (other.number == type.number or other.name == type.name):
            raise ValueError(f"{type} and {other} have the same number or name.")
    _types[type.number] = type
    return type


def numbered(number: int) -> EventType:
    """Return the type with the number; raise ``KeyError`` where nobody declares it."""
    return _types[number]
