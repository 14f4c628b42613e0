"""Parts of pages that other apps add: panels beside a customer or a purchase, and what waits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.functional import Promise

from shop.core.apps import declared


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened, for the timeline of the page, and the page about it if any."""

    moment: datetime
    title: str | Promise
    href: str = ""
    icon: str = "circle"


@dataclass(frozen=True, slots=True)
class Panel:
    """A titled part of a page: ``template`` with ``context``. Low places come first.

    ``moments`` are its part of the page's timeline.
    """

    title: str | Promise
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    place: int = 50
    moments: Sequence[Moment] = ()


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that waits for somebody: how many there are, and the page that lists them."""

    label: str | Promise
    count: int
    url: str


def customer_panels(caller: Any, customer: Any) -> list[Panel]:
    """Return the panels of a customer's page that the caller may see."""
    return _panels("customer_panels", caller, customer)


def person_panels(caller: Any, account: Any) -> list[Panel]:
    """Return the panels of the page of an account that the caller may see."""
    return _panels("person_panels", caller, account)


def purchase_panels(caller: Any, purchase: Any) -> list[Panel]:
    """Return the panels of a purchase's page that the caller may see."""
    return _panels("purchase_panels", caller, purchase)


def _panels(kind: str, caller: Any, thing: Any) -> list[Panel]:
    panels: list[Panel] = []
    for make in declared(kind):
        if panel := make(caller, thing):
            panels.append(panel)
    return sorted(panels, key=lambda panel: panel.place)


def attention_for(caller: Any) -> list[Attention]:
    """Return what waits for the caller, without what there is none of."""
    return [each for find in declared("attention") for each in find(caller) if each.count]
