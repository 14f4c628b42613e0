"""Customers, as those see them who may read everybody's purchases; and each customer itself."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connections
from django.db.models import F, QuerySet, Value
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.utils import timezone

from accounts.access import Caller, may_read_purchases, may_see_everything
from accounts.models import USERID_MAX_LENGTH, USERNAME_MAX_LENGTH, User
from accounts.names import NameKey, normalise
from accounts.permissions import Permission, allows
from purchases.models import Purchase
from purchases.totals import Sum
from shop.core.errors import FieldError, NotFound, ValidationFailed
from shop.core.pagination import LAST, Page
from shop.core.replica import database_for
from shop.core.text import printable
from shop.core.times import sql_zone

PAGE_SIZE = 50
COUNTED_MAX = 10_000
"""Purchases that the figures of one customer are made of, so that a page has bounded work."""
MONTHS = 12
LISTED_MAX = 100
"""Purchases of each customer that the list counts."""
NEWEST = "newest"

_FIGURES = """
SELECT customer.id, newest.timestamp, (
    SELECT count(*) FROM (
        SELECT FROM purchases_purchase WHERE customer_id = customer.id ORDER BY timestamp, id
        LIMIT %(most)s
    ) AS counted
)
FROM unnest(%(customers)s::bigint[]) AS customer (id)
LEFT JOIN LATERAL (
    SELECT timestamp FROM purchases_purchase WHERE customer_id = customer.id
    ORDER BY timestamp DESC, id DESC LIMIT 1
) AS newest ON true
"""
# The sums are made of the newest purchases, because an index has these in order.
_SUMS = """
SELECT date_trunc('month', timestamp AT TIME ZONE %(zone)s)::date, currency, count(*),
    sum(price * quantity), min(timestamp), max(timestamp)
FROM (
    SELECT timestamp, currency, price, quantity FROM purchases_purchase
    WHERE customer_id = %(customer)s ORDER BY timestamp DESC, id DESC LIMIT %(most)s
) AS newest
GROUP BY 1, 2 ORDER BY 1 DESC, 2
"""
_FIRST = """
SELECT timestamp FROM purchases_purchase WHERE customer_id = %s ORDER BY timestamp, id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """A customer in a list, its newest purchase, and how many it has, ``LISTED_MAX`` + 1 at most.

    ``email`` is empty where the caller may not see it.
    """

    customer: User
    email: str
    last: datetime | None
    purchases: int

    @property
    def has_more(self) -> bool:
        """Return whether there are more purchases than were counted."""
        return self.purchases > LISTED_MAX


@dataclass(frozen=True, slots=True)
class MonthSum(Sum):
    """The purchases of a month in one currency."""

    month: date | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a customer bought, by currency and by month with the newest month first.

    If not ``complete``, everything but ``first`` and ``last`` is about the newest ``COUNTED_MAX``
    purchases only, and ``since`` is the oldest of them.
    """

    purchases: int
    complete: bool
    first: datetime | None
    last: datetime | None
    since: datetime | None
    totals: Sequence[Sum]
    months: Sequence[MonthSum]


def may_see_addresses(caller: Caller) -> bool:
    """Return whether the caller sees customers' e-mail addresses."""
    return allows(caller.permissions, Permission.ACCOUNTS_READ_ALL)


def customers() -> QuerySet[User]:
    """Return all accounts but those of programs, which buy nothing themselves."""
    return User.objects.filter(is_client=False)


def customer_of(caller: Caller, userid: str) -> User:
    """Return the customer with this userid; raise ``NotFound`` where the caller may not see it."""
    customer = None
    if len(userid) <= USERID_MAX_LENGTH:
        customer = User.objects.filter(userid=normalise(userid)).first()
    if customer is None or not may_read_purchases(caller):
        raise NotFound()
    if customer.pk != caller.id and not may_see_everything(caller):
        raise NotFound()
    return customer


def email_for(caller: Caller, customer: User) -> str:
    """Return the customer's address, or nothing where the caller may not see it."""
    return customer.email if customer.pk == caller.id or may_see_addresses(caller) else ""


def customers_named(caller: Caller, text: str, limit: int) -> list[User]:
    """Return at most so many customers whose name, userid or address begins with the text.

    One whose userid is the text comes first. Only who may see addresses finds customers by them.
    """
    fields = ["userid", "username"]
    if may_see_addresses(caller):
        fields.append("email")
    parts = {
        field: User.objects.starting_with(field, text).filter(is_client=False)[:limit]
        for field in fields
    }
    found: dict[int, User] = {
        user.pk: user for field in fields for user in parts[field] if user.userid == text
    }
    for field in ("username", *fields):
        found |= {user.pk: user for user in parts[field] if user.pk not in found}
    return list(found.values())[:limit]


def listed(caller: Caller, found: Sequence[User]) -> list[Listed]:
    """Return the customers with what a list shows of them, by one query.

    Purchases are left out where the caller may not see them.
    """
    if not may_see_everything(caller):
        return [Listed(user, email_for(caller, user), None, 0) for user in found]
    figures: Mapping[int, tuple[datetime | None, int]] = {}
    with connections[database_for(caller.id)].cursor() as cursor:
        cursor.execute(_FIGURES, {"customers": [user.pk for user in found], "most": LISTED_MAX + 1})
        figures = {pk: (last, count) for pk, last, count in cursor.fetchall()}
    return [Listed(user, email_for(caller, user), *figures[user.pk]) for user in found]


def summary_of(caller: Caller, customer: User) -> Summary:
    """Return what the customer bought, in months of the reader's time zone."""
    with connections[database_for(caller.id)].cursor() as cursor:
        zone = sql_zone(timezone.get_current_timezone_name())
        cursor.execute(_SUMS, {"zone": zone, "customer": customer.pk, "most": COUNTED_MAX})
        rows = cursor.fetchall()
        cursor.execute(_FIRST, [customer.pk])
        (first,) = cursor.fetchone() or (None,)
    months = [
        MonthSum(currency, count, amount, month) for month, currency, count, amount, *_ in rows
    ]
    totals: dict[str, Sum] = {}
    for each in months:
        so_far = totals.get(each.currency, Sum(each.currency))
        totals[each.currency] = so_far.and_also(each.purchases, each.amount)
    purchases = sum(each.purchases for each in months)
    return Summary(
        purchases=purchases,
        complete=purchases < COUNTED_MAX,
        first=first,
        last=max((row[5] for row in rows), default=None),
        since=min((row[4] for row in rows), default=None),
        totals=sorted(totals.values(), key=lambda each: (-each.purchases, each.currency)),
        months=months,
    )


def newest_of(caller: Caller, customer: User, count: int) -> QuerySet[Purchase]:
    """Return the customer's newest purchases."""
    purchases = Purchase.objects.using(database_for(caller.id)).select_related("customer")
    return purchases.filter(customer_id=customer.pk).order_by("-timestamp", "-id")[:count]


def last_months(summary: Summary) -> list[tuple[date, int]]:
    """Return how many purchases each of the last months has, the oldest first.

    The last one is that of the newest purchase. Without purchases there are none.
    """
    counts: dict[date, int] = {}
    for each in summary.months:
        if each.month is not None:
            counts[each.month] = counts.get(each.month, 0) + each.purchases
    if not counts:
        return []
    newest = max(counts)
    ordinals = range(newest.year * 12 + newest.month - MONTHS, newest.year * 12 + newest.month)
    shown = [date(number // 12, number % 12 + 1, 1) for number in ordinals]
    return [(month, counts.get(month, 0)) for month in shown]


# --- Pages of the list ------------------------------------------------------------------------


def customer_page(*, order: str = "", cursor: str | None = None) -> Page[User]:
    """Return one page of all customers, by name, or the newest accounts first.

    ``cursor`` comes from an earlier page, or is ``"last"``. Raise ``ValidationFailed`` for any
    other.
    """
    backwards, place = _decoded(cursor, order)
    rows: QuerySet[User] = customers().alias(key=NameKey("username"))
    names: tuple[str, ...]
    if order == NEWEST:
        names = ("pk",) if backwards else ("-pk",)
        if place:
            rows = rows.filter(pk__gt=place[0]) if backwards else rows.filter(pk__lt=place[0])
    else:
        names = ("-key", "-namesake") if backwards else ("key", "namesake")
        if place:
            compare = TupleLessThan if backwards else TupleGreaterThan
            start = (NameKey(Value(place[0])), place[1])
            rows = rows.filter(compare(Tuple(F("key"), F("namesake")), start))
    items = list(rows.order_by(*names)[: PAGE_SIZE + 1])
    more = len(items) > PAGE_SIZE
    items = items[:PAGE_SIZE]
    if backwards:
        items.reverse()
    has_next, has_previous = (bool(place), more) if backwards else (more, bool(place))
    return Page(
        items=items,
        next_cursor=_encoded("n", items[-1], order) if items and has_next else None,
        previous_cursor=_encoded("p", items[0], order) if items and has_previous else None,
    )


def _encoded(direction: str, user: User, order: str) -> str:
    place = [user.pk] if order == NEWEST else [user.username, user.namesake]
    return _packed([direction, *place])


def _packed(parts: list[str | int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _decoded(cursor: str | None, order: str) -> tuple[bool, list[str | int]]:
    """Return whether the page lies before its place, and the place, if there is one."""
    if cursor is None or cursor == LAST:
        return cursor == LAST, []
    try:
        if len(cursor) > 8 * USERNAME_MAX_LENGTH:
            raise ValueError
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        direction, *place = parts = json.loads(text)
        kinds = [int] if order == NEWEST else [str, int]
        if direction not in ("n", "p") or [type(part) for part in place] != kinds:
            raise ValueError
        numbers = [part for part in place if isinstance(part, int)]
        names = [part for part in place if isinstance(part, str)]
        if not all(0 <= number < 2**31 for number in numbers) or not all(map(printable, names)):
            raise ValueError
        if _packed(parts) != cursor:
            raise ValueError
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise ValidationFailed([FieldError("invalid", "Invalid cursor.", "cursor")]) from None
    return direction == "p", place
