"""What an invoice says: the purchases that are not invoiced yet, discounts, coupons and taxes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection
from django.utils import timezone

from billing import money
from billing.content import Body, ContentDiscount, ContentLine, ContentTax
from billing.coupons.errors import CouponNotApplicable
from billing.coupons.redeeming import check_coupons, redemptions_of
from billing.invoices.errors import AlreadyInvoiced, NothingToInvoice, TooManyLines
from billing.invoices.models import LINES_MAX
from billing.taxes.rates import Rates, day_of_supply
from shop.core.errors import FieldError, ValidationFailed
from shop.core.site_settings.general import site_zone

# The ledger's index gives the purchases in order; the key of the claims finds each of them.
_PURCHASES = """
SELECT purchase.id, purchase.item, purchase.quantity, purchase.price, purchase.currency,
       purchase."timestamp"
  FROM purchases_purchase AS purchase
 WHERE purchase.customer_id = %(customer)s
   AND purchase."timestamp" >= %(since)s AND purchase."timestamp" < %(until)s
   AND (%(currency)s = '' OR purchase.currency = %(currency)s)
   AND NOT EXISTS (SELECT FROM billing_claim WHERE billing_claim.purchase = purchase.id)
 ORDER BY purchase."timestamp", purchase.id LIMIT %(most)s
"""
_CHOSEN = """
SELECT purchase.id, purchase.item, purchase.quantity, purchase.price, purchase.currency,
       purchase."timestamp", claim.purchase IS NOT NULL
  FROM purchases_purchase AS purchase
  LEFT JOIN billing_claim AS claim ON claim.purchase = purchase.id
 WHERE purchase.id = ANY (%(ids)s) AND purchase.customer_id = %(customer)s
   AND purchase."timestamp" >= %(since)s AND purchase."timestamp" < %(until)s
   AND (%(currency)s = '' OR purchase.currency = %(currency)s)
 ORDER BY purchase."timestamp", purchase.id
"""
_CURRENCIES = """
SELECT DISTINCT purchase.currency FROM purchases_purchase AS purchase
 WHERE purchase.customer_id = %(customer)s
   AND purchase."timestamp" >= %(since)s AND purchase."timestamp" < %(until)s
   AND NOT EXISTS (SELECT FROM billing_claim WHERE billing_claim.purchase = purchase.id)
 ORDER BY 1
"""
_FIRST = datetime(1, 1, 3, tzinfo=UTC)
_LAST = datetime(9999, 12, 30, tzinfo=UTC)


class Discount(msgspec.Struct, frozen=True, kw_only=True):
    """A percentage or an amount off the lines at these positions, or off all lines."""

    reason: str
    percent: Decimal | None = None
    amount: Decimal | None = None
    lines: list[int] | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was asked for. ``since`` and ``until`` are days, both inclusive, or moments."""

    since: str | None = None
    until: str | None = None
    purchases: list[UUID] | None = None
    currency: str = ""
    coupons: list[str] = []
    discounts: list[Discount] = []
    due_days: int | None = None


class CouponUse(msgspec.Struct, frozen=True):
    """A coupon that issuing redeems, and what it takes off."""

    id: UUID
    amount: Decimal


class Composed(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft keeps: what the invoice will say, and the coupons that it will redeem."""

    body: Body
    coupons: list[CouponUse]


class Bought(NamedTuple):
    """A purchase of the ledger."""

    id: UUID
    item: str
    quantity: int
    price: Decimal
    currency: str
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What is read once for many purchases: rates, and the coupons that they were bought with."""

    rates: Rates
    redeemed: Mapping[UUID, Sequence[tuple[str, Decimal]]]

    @classmethod
    def of(cls, purchases: Iterable[Bought]) -> "Known":
        """Return what is known about these purchases. Few queries."""
        purchases = list(purchases)
        return cls(
            Rates(purchase.item for purchase in purchases),
            redemptions_of(purchase.id for purchase in purchases),
        )


@dataclass(frozen=True, slots=True)
class _Line:
    """A line as coupons see it."""

    position: int
    text: str
    gross: Decimal


@dataclass(slots=True)
class _Cuts:
    """Discounts in the order in which they apply, and what the document says about each."""

    cuts: list[money.Cut] = field(default_factory=list)
    names: list[tuple[str | None, str | None]] = field(default_factory=list)
    coupons: list[tuple[int, UUID]] = field(default_factory=list)

    def add(self, cut: money.Cut, *, coupon: str | None = None, reason: str | None = None) -> None:
        self.cuts.append(cut)
        self.names.append((coupon, reason))


def moment_of(text: str, *, ends: bool = False) -> datetime:
    """Return the moment that a day or a moment stands for.

    ``ends`` gives the moment after a day. A day is one of the site's time zone. Raise
    ``ValueError``.
    """
    if len(text) > len("2026-01-01"):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(text)
        # An end that is a moment is part of the range, as a day is.
        moment = min(moment, _LAST) + timedelta(microseconds=ends)
    else:
        day = date.fromisoformat(text)
        day = min(day, _LAST.date()) + timedelta(days=ends)
        moment = datetime(day.year, day.month, day.day, tzinfo=site_zone())
    # PostgreSQL takes offsets of less than 16 hours.
    return min(max(moment, _FIRST), _LAST).astimezone(UTC)


def first_moment() -> datetime:
    """Return the moment before which nothing is invoiced."""
    return moment_of(settings.BILLING_SINCE.isoformat()) if settings.BILLING_SINCE else _FIRST


def compose(customer_id: int, request: Request) -> Composed:
    """Return what an invoice for the customer says about what is not invoiced yet.

    Raise ``NothingToInvoice``, ``TooManyLines``, ``AlreadyInvoiced``, ``CurrencyNotBillable``, the
    errors of coupons, and ``ValidationFailed``.
    """
    purchases = _purchases(customer_id, request)
    return composed(customer_id, purchases, request, Known.of(purchases))


def composed(
    customer_id: int, purchases: Sequence[Bought], request: Request, known: Known
) -> Composed:
    """Return what an invoice about these purchases, all in one currency, says."""
    currency = purchases[0].currency
    exponent = money.exponent_of(currency)
    days = [day_of_supply(purchase.timestamp) for purchase in purchases]
    applied = [
        known.rates.of(purchase.item, day) for purchase, day in zip(purchases, days, strict=True)
    ]
    items = [
        money.Item(position, purchase.quantity, purchase.price, tax.category, tax.rate)
        for position, (purchase, tax) in enumerate(zip(purchases, applied, strict=True), 1)
    ]
    cuts = _cuts(customer_id, purchases, request, known, exponent)
    priced = money.price(
        items,
        cuts.cuts,
        exponent=exponent,
        include_tax=settings.BILLING_PRICES_INCLUDE_TAX,
    )
    exemptions = {(tax.category, tax.rate): tax.exemption for tax in reversed(applied)}
    lines = [
        ContentLine(
            position=line.position,
            purchase=purchase.id,
            text=purchase.item,
            quantity=purchase.quantity,
            price=purchase.price,
            gross=line.gross,
            discount=line.discount,
            net=line.net,
            tax_category=tax.category,
            tax_rate=tax.rate,
            supplied_on=day,
        )
        for line, purchase, tax, day in zip(priced.lines, purchases, applied, days, strict=True)
    ]
    discounts = [
        ContentDiscount(
            coupon=coupon,
            reason=reason,
            percent=cut.percent,
            amount=amount,
            lines=None if cut.lines is None else sorted(cut.lines),
        )
        for cut, (coupon, reason), amount in zip(cuts.cuts, cuts.names, priced.cuts, strict=True)
    ]
    body = Body(
        currency=currency,
        exponent=exponent,
        prices_include_tax=settings.BILLING_PRICES_INCLUDE_TAX,
        lines=lines,
        discounts=discounts,
        taxes=[
            ContentTax(
                category=tax.category,
                rate=tax.rate,
                net=tax.net,
                tax=tax.tax,
                exemption=exemptions.get((tax.category, tax.rate), ""),
            )
            for tax in priced.taxes
        ],
        net=priced.net,
        tax=priced.tax,
        total=priced.total,
    )
    uses = [CouponUse(coupon, priced.cuts[index]) for index, coupon in cuts.coupons]
    if not all(use.amount for use in uses):
        # What came before it left nothing, so it must not be used up.
        raise CouponNotApplicable
    return Composed(body=body, coupons=uses)


def _purchases(customer_id: int, request: Request) -> list[Bought]:
    since = first_moment()
    if request.since:
        since = max(since, moment_of(request.since))
    values: dict[str, Any] = {
        "customer": customer_id,
        "since": since,
        "until": moment_of(request.until, ends=True) if request.until else _LAST,
        "currency": request.currency,
        "most": LINES_MAX + 1,
    }
    if request.currency:
        money.exponent_of(request.currency)
    with connection.cursor() as cursor:
        if request.purchases is not None:
            found = _chosen(cursor, request.purchases, values)
        else:
            if not request.currency:
                cursor.execute(_CURRENCIES, values)
                values["currency"] = _one_currency(each for (each,) in cursor.fetchall())
            cursor.execute(_PURCHASES, values)
            found = [Bought(*row) for row in cursor.fetchall()]
    if not found:
        raise NothingToInvoice()
    if len(found) > LINES_MAX:
        raise TooManyLines()
    _one_currency(purchase.currency for purchase in found)
    return found


def _chosen(cursor: Any, ids: Sequence[UUID], values: dict[str, Any]) -> list[Bought]:
    if len(set(ids)) > LINES_MAX:
        raise TooManyLines()
    cursor.execute(_CHOSEN, {**values, "ids": list(ids)})
    rows = cursor.fetchall()
    if missing := sorted(set(ids) - {row[0] for row in rows}):
        detail = f"The customer has no purchase {missing[0]} that may be invoiced."
        raise ValidationFailed([FieldError("does_not_exist", detail, "purchases")])
    if taken := [row[0] for row in rows if row[-1]]:
        raise AlreadyInvoiced(taken)
    return [Bought(*row[:-1]) for row in rows]


def _one_currency(found: Iterable[str]) -> str:
    """Return the only currency that somebody can be billed in; empty where there is nothing."""
    currencies = sorted(set(found))
    billable = [each for each in currencies if each not in money.NOT_BILLABLE]
    if len(billable) > 1:
        detail = f"There are purchases in {', '.join(billable)}. Name one currency."
        raise ValidationFailed([FieldError("required", detail, "currency")])
    if currencies and not billable:
        raise money.CurrencyNotBillable()
    return billable[0] if billable else ""


def _cuts(
    customer_id: int,
    purchases: Sequence[Bought],
    request: Request,
    known: Known,
    exponent: int,
) -> _Cuts:
    """Return what purchases were bought with, then the coupons, then the discounts."""
    cuts = _Cuts()
    currency = purchases[0].currency
    for position, purchase in enumerate(purchases, 1):
        for code, amount in known.redeemed.get(purchase.id, ()):
            cuts.add(money.Cut(amount=amount, lines=frozenset([position])), coupon=code)
    coupons = check_coupons(
        request.coupons,
        customer_id=customer_id,
        lines=[
            _Line(position, purchase.item, purchase.quantity * purchase.price)
            for position, purchase in enumerate(purchases, 1)
        ],
        currency=currency,
        moment=timezone.now(),
    )
    for coupon in coupons:
        cuts.coupons.append((len(cuts.cuts), coupon.coupon_id))
        cuts.add(money.Cut(coupon.percent, coupon.amount, coupon.lines), coupon=coupon.code)
    for index, discount in enumerate(request.discounts):
        lines = None if discount.lines is None else frozenset(discount.lines)
        if lines is not None and not lines <= frozenset(range(1, len(purchases) + 1)):
            detail = f"The invoice has the lines 1 to {len(purchases)}."
            raise ValidationFailed([FieldError("invalid", detail, f"discounts.{index}.lines")])
        if discount.amount is not None and discount.amount != round(discount.amount, exponent):
            detail = f"{currency} has {exponent} decimals."
            raise ValidationFailed([FieldError("invalid", detail, f"discounts.{index}.amount")])
        cuts.add(money.Cut(discount.percent, discount.amount, lines), reason=discount.reason)
    return cuts
