"""The scope and types of events that a caller asks for, and whether it may read them."""

from collections.abc import Mapping
from dataclasses import dataclass

from accounts.access import Caller
from events.selectors import PURCHASES
from events.types import named, numbered, readable
from shop.core.errors import FieldError, Forbidden, ValidationFailed

EVERY_TYPE = "*"


@dataclass(frozen=True, slots=True)
class Selection:
    """A scope and types of events: one customer's events or everybody's; numbers of types."""

    types: frozenset[int]
    everything: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """The scope of a request, if any, and the numbers of its types; ``None`` is every type."""

    scope: str | None = None
    types: frozenset[int] | None = PURCHASES

    @classmethod
    def parse(cls, query: Mapping[str, str], *, takes_types: bool = True) -> "Asked":
        """Return what a query asks for; raise ``ValidationFailed`` for unknown scopes or types."""
        scope = query.get("scope")
        if scope not in (None, "mine", "all"):
            raise ValidationFailed([FieldError("invalid", "scope is mine or all.", "scope")])
        value = query.get("types") if takes_types else None
        return cls(scope) if value is None else cls(scope, _numbers(value))

    def allowed_to(self, caller: Caller) -> Selection:
        """Return the selection for the caller; raise ``Forbidden`` where it may not read it.

        Without a scope the caller gets everybody's events, if it may read those of all its types.
        """
        if self.scope is None:
            everything = bool(_shared(self.types, readable(caller.permissions, everything=True)))
        else:
            everything = self.scope == "all"
        allowed = readable(caller.permissions, everything=everything)
        types = _shared(self.types, allowed)
        if not types:
            raise _refusal(self.types or PURCHASES, allowed, everything=everything)
        return Selection(types, everything)


def _shared(asked: frozenset[int] | None, allowed: frozenset[int]) -> frozenset[int]:
    """Return the types if all are allowed; for every type, those that are allowed."""
    if asked is None:
        return allowed
    return asked if asked <= allowed else frozenset()


def _numbers(value: str) -> frozenset[int] | None:
    if value == EVERY_TYPE:
        return None
    types = [named(name) for name in value.split(",")]
    if None in types:
        detail = "types are names from /api/v1/events/types/, with commas between, or *."
        raise ValidationFailed([FieldError("invalid", detail, "types")])
    return frozenset(type.number for type in types if type is not None)


def _refusal(asked: frozenset[int], allowed: frozenset[int], *, everything: bool) -> Forbidden:
    type = next(filter(None, map(numbered, sorted(asked - allowed))), None)
    if type is None:
        return Forbidden()
    whose = "everybody's" if everything else "your"
    return Forbidden(
        f"You may not read {whose} {type.name} events.",
        accepted=type.needed(everything=everything),
    )
