"""The list of purchases as a page shows it: filters, chips, order, sums, and links to exports."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from django.http import QueryDict
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from accounts.access import Caller, is_client_program, may_see_everything
from purchases import selectors
from purchases.filters import PurchaseFilter, filters_by_price
from purchases.models import Purchase
from purchases.representation import PurchaseData
from purchases.totals import Totals, totals_of
from purchases.typed import typed_filters
from shop.core import times
from shop.core.errors import ValidationFailed
from shop.core.pagination import LAST, Page, paginate
from shop.core.replica import database_for

EXPORTS: Sequence[tuple[str | Promise, str, str]] = (
    ("CSV", "api:purchases_csv", ""),
    (gettext_lazy("CSV for Excel"), "api:purchases_csv", "excel=1"),
    (gettext_lazy("Excel workbook"), "api:purchases_xlsx", ""),
    (gettext_lazy("JSON lines"), "api:purchases_jsonl", ""),
)
_LABELS = {
    "since": gettext_lazy("From {}"),
    "until": gettext_lazy("Until {}"),
    "min_price": gettext_lazy("Price from {}"),
    "max_price": gettext_lazy("Price up to {}"),
    "item": gettext_lazy("Item: {}"),
    "username": gettext_lazy("Customer: {}"),
}
_FIELDS: dict[str, str | Promise] = {
    "since": gettext_lazy("From"),
    "until": gettext_lazy("To"),
    "min_price": gettext_lazy("Lowest price"),
    "max_price": gettext_lazy("Highest price"),
    "item": gettext_lazy("Item"),
    "username": gettext_lazy("Customer"),
}
_PERIOD = ("since", "until")


@dataclass(frozen=True, slots=True)
class Order:
    """An order of the list, for which every filter that it allows has an index."""

    ascending: bool = False
    by_price: bool = False


ORDERS = {
    "": Order(),
    "oldest": Order(ascending=True),
    "dearest": Order(by_price=True),
    "cheapest": Order(ascending=True, by_price=True),
}


class Link(NamedTuple):
    """A labelled address."""

    label: str | Promise
    url: str


class Head(NamedTuple):
    """The head of a column that the list can be ordered by.

    ``sorted`` is a value of ``aria-sort``; ``url`` turns the order round.
    """

    sorted: str
    url: str


@dataclass(slots=True)
class Listing:
    """One page of the purchases that a caller may see and asked for."""

    given: dict[str, str]
    """The filters as they were typed."""
    query: str
    """The filters and the order, as a query without a cursor."""
    query_without_dates: str
    show_customers: bool
    chips: list[Link]
    heads: dict[str, Head]
    order: str
    labels: dict[str, str | Promise]
    errors: dict[str, str] = field(default_factory=dict)
    page: Page[Purchase] | None = None
    purchases: list[PurchaseData] = field(default_factory=list)
    totals: Totals | None = None
    exports: list[Link] = field(default_factory=list)

    @property
    def is_filtered(self) -> bool:
        """Return whether a filter leaves purchases out."""
        return bool(self.chips)

    @property
    def has_pages(self) -> bool:
        """Return whether there is another page."""
        return bool(self.page and (self.page.next_cursor or self.page.previous_cursor))

    @property
    def first(self) -> str:
        """Return the address of the first page, or ``""`` on it."""
        return f"?{self.query}" if self.page and self.page.previous_cursor else ""

    @property
    def previous(self) -> str:
        """Return the address of the page before, or ``""``."""
        return self._to(self.page.previous_cursor if self.page else None)

    @property
    def next(self) -> str:
        """Return the address of the next page, or ``""``."""
        return self._to(self.page.next_cursor if self.page else None)

    @property
    def last(self) -> str:
        """Return the address of the last page, or ``""`` on it."""
        return self._to(LAST if self.page and self.page.next_cursor else None)

    def _to(self, cursor: str | None) -> str:
        return "?" + "&".join(filter(None, (self.query, f"cursor={cursor}"))) if cursor else ""


def list_purchases(caller: Caller, asked: QueryDict) -> Listing:
    """Return the page of the list that a query asks for, with what is wrong with the query."""
    plain, unclear = typed_filters(asked)
    visible = selectors.purchases_visible_to(caller, database_for(caller.id))
    filters, purchases = PurchaseFilter.narrow(visible, plain)
    given = {name: asked.get(name, "").strip() for name in filters.filters}
    by_price = len(visible.parts) == 1 and not any(
        given[name] for name in ("item", "since", "until")
    )
    name = asked.get("sort", "")
    if name not in ORDERS or (ORDERS[name].by_price and not by_price):
        name = ""
    order = ORDERS[name]
    query = _query(given, name)
    everything = may_see_everything(caller)
    listing = Listing(
        given=given,
        query=query.urlencode(),
        query_without_dates=_without(query, *_PERIOD).urlencode(),
        show_customers=everything or is_client_program(caller),
        chips=[_chip(query, key, value) for key, value in given.items() if value],
        heads=_heads(given, name, by_price=by_price),
        order=name,
        labels=_FIELDS,
    )
    if unclear or not filters.is_valid():
        found = {key: str(problems[0]) for key, problems in filters.errors.items()}
        listing.errors = found | unclear
        return listing
    priced = filters_by_price(plain)
    try:
        listing.page = paginate(
            purchases,
            cursor=asked.get("cursor"),
            amount_field="price" if order.by_price else None,
            ascending=order.ascending,
            keys_first=priced and not order.by_price,
        )
    except ValidationFailed as error:
        listing.errors["cursor"] = error.errors[0].detail
        return listing
    listing.purchases = [selectors.to_purchase_data(row) for row in listing.page.items]
    # No index gives the time order of a range of prices, and a whole large ledger is not summed.
    if not priced and (listing.is_filtered or not everything):
        listing.totals = totals_of(purchases)
    listing.exports = _exports(plain, given)
    return listing


def _query(given: dict[str, str], order: str) -> QueryDict:
    query = QueryDict(mutable=True)
    query.update({name: value for name, value in given.items() if value})
    if order:
        query["sort"] = order
    return query


def _chip(query: QueryDict, name: str, value: str) -> Link:
    text = str(_LABELS[name]).format(_shown(value))
    return Link(text, f"?{_without(query, name).urlencode()}")


def _without(query: QueryDict, *names: str) -> QueryDict:
    others = query.copy()
    for name in names:
        others.pop(name, None)
    return others


def _shown(value: str) -> str:
    """Return a day as the reader writes it, and anything else as it is."""
    try:
        return times.day(date.fromisoformat(value)) if len(value) == 10 else value
    except ValueError:
        return value


def _heads(given: dict[str, str], order: str, *, by_price: bool) -> dict[str, Head]:
    def head(first: str, second: str, directions: tuple[str, str]) -> Head:
        where = dict(zip((first, second), directions, strict=True)).get(order, "")
        return Head(where, "?" + _query(given, second if order == first else first).urlencode())

    heads = {"time": head("", "oldest", ("descending", "ascending"))}
    if by_price:
        heads["price"] = head("dearest", "cheapest", ("descending", "ascending"))
    return heads


def _exports(plain: QueryDict, given: dict[str, str]) -> list[Link]:
    wanted = QueryDict(mutable=True)
    wanted.update({name: str(plain[name]) for name in given if name in plain})
    return [
        Link(label, f"{reverse(route)}?{'&'.join(filter(None, (wanted.urlencode(), more)))}")
        for label, route, more in EXPORTS
    ]
