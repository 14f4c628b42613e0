"""Whose events a caller asks for and of which types, and whether it may have them."""

from collections.abc import Mapping
from dataclasses import dataclass

from accounts.access import Caller
from events.selectors import PURCHASES
from events.types import named, numbered, readable
from shop.core.errors import FieldError, Forbidden, ValidationFailed

EVERY_TYPE = "*"


@dataclass(frozen=True, slots=True)
class Selection:
    """Events of some types, by their numbers: one customer's, or everybody's."""

    types: frozenset[int]
    everything: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request names: a scope, if any, and numbers of types; ``None`` is every type."""

    scope: str | None = None
    types: frozenset[int] | None = PURCHASES

    @classmethod
    def parse(cls, query: Mapping[str, str], *, takes_types: bool = True) -> "Asked":
        """Return what a query asks for; raise ``ValidationFailed`` for what there is not."""
        scope = query.get("scope")
        if scope not in (None, "mine", "all"):
            raise ValidationFailed([FieldError("invalid", "scope is mine or all.", "scope")])
        value = query.get("types") if takes_types else None
        return cls(scope) if value is None else cls(scope, _numbers(value))

    def allowed_to(self, caller: Caller) -> Selection:
        """Return what the caller gets; raise ``Forbidden`` for what it may not read.

        Without a scope it gets everybody's where it may read everybody's of what it asks for.
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
    """Return what is asked for if all of it is allowed; of every type what is allowed."""
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
