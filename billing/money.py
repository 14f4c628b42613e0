"""The rules of the money: what lines, discounts and taxes come to, and what is owed.

Everything here is pure. Amounts come and go as ``Decimal``; in between they are whole numbers of
the currency's smallest unit, so nothing is rounded but where a rule says so. Halves are rounded
up. No amount is negative, because signs live in the kind of a document.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from django.utils.translation import gettext_noop

from shop.core.errors import Conflict
from shop.core.money import decimals_of

# Metals, bonds, funds and test codes of ISO 4217. They have no smaller unit, so nobody pays in
# them. The last three are withdrawn.
NOT_BILLABLE = frozenset(
    {
        *("XAG", "XAU", "XPD", "XPT", "XBA", "XBB", "XBC", "XBD", "XDR", "XSU", "XUA", "XTS"),
        *("XXX", "XFO", "XFU", "XRE"),
    }
)
EXPONENT_MAX = 2
HUNDRED = Decimal(100)


class CurrencyNotBillable(Conflict):
    """The currency has no smaller unit, as gold has none, so no invoice can be in it."""

    code = "currency_not_billable"
    detail = gettext_noop("Nobody can be billed in this currency.")
    attr = "currency"


class Item(NamedTuple):
    """A line before discounts. ``price`` is of one piece; ``rate`` is a percentage."""

    position: int
    quantity: int
    price: Decimal
    category: str
    rate: Decimal


class Cut(NamedTuple):
    """A discount: a percentage or an amount, of the lines at these positions or of all."""

    percent: Decimal | None = None
    amount: Decimal | None = None
    lines: frozenset[int] | None = None


class PricedLine(NamedTuple):
    """A line: ``gross`` is quantity times price, ``net`` is without discount and without tax."""

    position: int
    gross: Decimal
    discount: Decimal
    net: Decimal


class PricedTax(NamedTuple):
    """The tax of all lines of one category and rate."""

    category: str
    rate: Decimal
    net: Decimal
    tax: Decimal


class Priced(NamedTuple):
    """What a document comes to. ``cuts`` are the amounts that the discounts took."""

    lines: list[PricedLine]
    cuts: list[Decimal]
    taxes: list[PricedTax]
    net: Decimal
    tax: Decimal
    total: Decimal


def exponent_of(currency: str) -> int:
    """Return how many decimals a document in this currency has: those of ISO 4217, at most two.

    EN 16931 and the ledger have two. Raise ``CurrencyNotBillable``.
    """
    if currency in NOT_BILLABLE:
        raise CurrencyNotBillable
    return min(decimals_of(currency), EXPONENT_MAX)


def rounded(numerator: int, denominator: int) -> int:
    """Return the quotient of two numbers, neither negative, to a whole number; halves go up."""
    return (2 * numerator + denominator) // (2 * denominator)


def to_units(amount: Decimal, exponent: int) -> int:
    """Return an amount in the smallest unit of a currency, rounded. Raise for a negative one."""
    if amount < 0:
        raise ValueError("no amount is negative")
    numerator, denominator = amount.as_integer_ratio()
    return rounded(numerator * 10**exponent, denominator)


def to_amount(units: int, exponent: int) -> Decimal:
    """Return the amount of so many smallest units, with all its decimals."""
    return Decimal(f"{units}e-{exponent}")


def percentage(units: int, percent: Decimal) -> int:
    """Return so many percent of an amount in smallest units, rounded."""
    numerator, denominator = percent.as_integer_ratio()
    return rounded(units * numerator, denominator * 100)


def tax_in(units: int, rate: Decimal, *, include_tax: bool) -> int:
    """Return the tax of the sum of a group of lines, whose prices include it or not.

    Where prices include it, the net is rounded and the tax is the rest: for one of six amounts no
    rounded net has a rounded tax that adds up to them.
    """
    if not include_tax:
        return percentage(units, rate)
    numerator, denominator = rate.as_integer_ratio()
    whole = 100 * denominator
    return units - rounded(units * whole, whole + numerator)


def spread_units(units: int, weights: Sequence[int]) -> list[int]:
    """Return ``units`` in shares by weight, which add up to it exactly, by largest remainder.

    Equal remainders are served by position. A share is never more than its weight, if all weights
    together are at least ``units``.
    """
    whole = sum(weights)
    if not whole:
        if units:
            raise ValueError("nothing can be spread over lines of no weight")
        return [0] * len(weights)
    shares, remainders = [], []
    for weight in weights:
        share, remainder = divmod(units * weight, whole)
        shares.append(share)
        remainders.append(remainder)
    first = sorted(range(len(weights)), key=lambda index: (-remainders[index], index))
    for index in first[: units - sum(shares)]:
        shares[index] += 1
    return shares


def spread(amount: Decimal, weights: Sequence[Decimal], exponent: int) -> list[Decimal]:
    """Return ``spread_units`` of amounts."""
    shares = spread_units(
        to_units(amount, exponent), [to_units(weight, exponent) for weight in weights]
    )
    return [to_amount(share, exponent) for share in shares]


def price(
    items: Sequence[Item], cuts: Iterable[Cut], *, exponent: int, include_tax: bool
) -> Priced:
    """Return what the items come to after the discounts, which apply in their order.

    Each discount is of what the ones before it left. Raise ``ValueError`` for a negative amount or
    a percentage over 100.
    """
    gross = [to_units(item.quantity * item.price, exponent) for item in items]
    left = list(gross)
    places = {item.position: index for index, item in enumerate(items)}
    taken = []
    for cut in cuts:
        chosen = (
            list(range(len(items)))
            if cut.lines is None
            else sorted(places[position] for position in cut.lines if position in places)
        )
        units = _cut(cut, sum(left[index] for index in chosen), exponent)
        shares = spread_units(units, [left[index] for index in chosen])
        for index, share in zip(chosen, shares, strict=True):
            left[index] -= share
        taken.append(to_amount(units, exponent))
    nets, taxes = _taxed(items, left, exponent, include_tax=include_tax)
    net = sum(nets)
    tax = sum(to_units(each.tax, exponent) for each in taxes)
    return Priced(
        lines=[
            PricedLine(
                item.position,
                to_amount(gross[index], exponent),
                to_amount(gross[index] - left[index], exponent),
                to_amount(nets[index], exponent),
            )
            for index, item in enumerate(items)
        ],
        cuts=taken,
        taxes=taxes,
        net=to_amount(net, exponent),
        tax=to_amount(tax, exponent),
        total=to_amount(net + tax, exponent),
    )


def _cut(cut: Cut, base: int, exponent: int) -> int:
    """Return what a discount takes of a sum, never more than the sum."""
    if cut.percent is not None:
        if not 0 <= cut.percent <= HUNDRED:
            raise ValueError("a percentage is between 0 and 100")
        return percentage(base, cut.percent)
    if cut.amount is None:
        raise ValueError("a discount is a percentage or an amount")
    return min(to_units(cut.amount, exponent), base)


def _taxed(
    items: Sequence[Item], left: Sequence[int], exponent: int, *, include_tax: bool
) -> tuple[list[int], list[PricedTax]]:
    """Return the net of each line, and the taxes in the order of category and rate."""
    nets = list(left)
    groups: dict[tuple[str, Decimal], list[int]] = {}
    for index, item in enumerate(items):
        groups.setdefault((item.category, item.rate), []).append(index)
    taxes = []
    for (category, rate), chosen in sorted(groups.items()):
        weights = [left[index] for index in chosen]
        net = sum(weights)
        tax = tax_in(net, rate, include_tax=include_tax)
        if include_tax:
            net -= tax
            for index, share in zip(chosen, spread_units(net, weights), strict=True):
                nets[index] = share
        taxes.append(
            PricedTax(
                category,
                rate.quantize(Decimal("0.01")),
                to_amount(net, exponent),
                to_amount(tax, exponent),
            )
        )
    return nets, taxes


class Sums(NamedTuple):
    """What was invoiced, credited, paid and given back; each the sum of its entries.

    ``refunded`` has the refunds under way and of unknown outcome, too. ``charged_back`` has the
    disputes that are open, and those that are lost.
    """

    total: Decimal
    credited: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    charged_back: Decimal = Decimal(0)

    @property
    def received(self) -> Decimal:
        """Return what the shop holds; negative where more went back than came."""
        return self.paid - self.refunded - self.charged_back

    @property
    def owed(self) -> Decimal:
        """Return what the customer still owes; negative where the shop owes it."""
        return self.total - self.credited - self.received

    @property
    def due(self) -> Decimal:
        """Return what the customer still owes."""
        return max(self.owed, self.total * 0)

    @property
    def overpaid(self) -> Decimal:
        """Return what the shop holds too much, which is all that it may refund."""
        return max(-self.owed, self.total * 0)

    def status(self, *, void: bool = False) -> str:
        """Return ``void``, ``paid``, ``partially_paid`` or ``open``."""
        if void:
            return "void"
        if self.owed <= 0:
            return "paid"
        return "partially_paid" if self.received > 0 else "open"
