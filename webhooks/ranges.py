"""Which events an endpoint gets, and the message about a range of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from accounts.access import Audience, Caller
from accounts.models import User
from accounts.permissions import Permission, allows
from events import teams
from events.representation import Numbered
from events.selection import Asked
from events.selectors import events_after
from events.types import named, numbered
from shop.core.errors import FieldError, Forbidden, ValidationFailed
from shop.core.times import iso
from webhooks.models import Delivery, Endpoint

TEST_TYPE = "webhook.test"
MIXED_TYPE = "events"


@dataclass(frozen=True, slots=True)
class Range:
    """The events of a delivery; it is about everything up to ``until``."""

    until: int
    events: Sequence[Numbered]


def numbers_of(names: Sequence[str]) -> list[int]:
    """Return the numbers of types of events. Raise ``ValidationFailed`` for an unknown one."""
    found = [named(name) for name in names]
    if not found or None in found:
        detail = "Give names from /api/v1/events/types/."
        raise ValidationFailed([FieldError("invalid", detail, "events")])
    return sorted({type.number for type in found if type is not None})


def names_of(types: Sequence[int]) -> list[str]:
    """Return the names of types of events that this version of the shop knows."""
    return [type.name for type in map(numbered, types) if type is not None]


def check_readable(permissions: int, types: Sequence[int], *, everything: bool) -> None:
    """Raise ``Forbidden`` for events that may not be read with these permissions.

    Everybody's events also need ``webhooks:write_all``.
    """
    if everything and not allows(permissions, Permission.WEBHOOKS_WRITE_ALL):
        raise Forbidden(accepted=Permission.WEBHOOKS_WRITE_ALL.code)
    caller = Caller(0, "", "", permissions)
    Asked("all" if everything else "mine", frozenset(types)).allowed_to(caller)


def may_still_get(owner: User, endpoint: Endpoint) -> bool:
    """Return whether the owner still has the rights that the endpoint needs."""
    if not owner.is_active or not allows(owner.permissions, Permission.WEBHOOKS_WRITE):
        return False
    known = [number for number in endpoint.types if numbered(number)]
    try:
        check_readable(owner.permissions, known, everything=endpoint.everything)
    except Forbidden:
        return False
    return True


def audience_for(owner: User, endpoint: Endpoint) -> Audience | None:
    """Return whose events the endpoint gets; ``None`` is everybody's."""
    return teams.audience_for(
        Caller.of(owner), everything=endpoint.everything, types=endpoint.types
    )


def next_range(owner: User, endpoint: Endpoint, *, after: int, end: int) -> Range:
    """Return the next events for an endpoint after a position, up to ``end``, at most a batch.

    ``until`` is ``end``, unless there are more of them.
    """
    events = events_after(
        after,
        audience=audience_for(owner, endpoint),
        limit=endpoint.batch,
        until=end,
        types=endpoint.types,
    )
    full = len(events) == endpoint.batch
    return Range(events[-1].position if full else end, events)


def events_of(owner: User, endpoint: Endpoint, delivery: Delivery) -> list[Numbered]:
    """Return the events of a delivery, the same for each attempt."""
    return events_after(
        delivery.after,
        audience=audience_for(owner, endpoint),
        limit=max(delivery.events, 1),
        until=delivery.until,
        types=delivery.types,
    )


def message(delivery: Delivery, events: Sequence[Numbered]) -> bytes:
    """Return the body of a delivery, which is the same for each attempt."""
    data: dict[str, Any] = {
        "events": [event.data for event in events],
        "position": delivery.until,
    }
    return msgspec.json.encode(
        {
            "type": _type_of(delivery, events),
            "timestamp": iso(delivery.created_at),
            "data": data,
        }
    )


def _type_of(delivery: Delivery, events: Sequence[Numbered]) -> str:
    if delivery.kind == Delivery.Kind.TEST:
        return TEST_TYPE
    types = {str(event.data["event"]) for event in events}
    return types.pop() if len(types) == 1 else MIXED_TYPE
