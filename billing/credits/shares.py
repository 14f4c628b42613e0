"""What a credit note comes to. Everything here is pure.

Credits are cumulative: a note has what is credited with it, minus what was credited before it. So
notes that credit everything, in any order, add up to the invoice to the cent. Rates, discounts and
prices are those that the invoice itself says.

Of a line, so many pieces have their part of its price and of its discount. An amount counts in the
prices of the invoice, after discount, and with tax where they include it. No line gives back more
than it cost, so pieces that follow an amount get what is left.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from django.utils.translation import gettext_noop

from billing.content import Body, ContentLine, ContentTax
from billing.money import rounded, tax_in, to_amount, to_units
from shop.core.errors import Conflict

Group = tuple[str, Decimal]
"""A tax category and its rate."""


class ExceedsInvoice(Conflict):
    """More would be credited than the invoice says, or than is left of it."""

    code = "exceeds_invoice"
    detail = gettext_noop("This is more than is left of the invoice.")
    attr = "lines"


class Asked(NamedTuple):
    """What is to be credited of a line of the invoice: so many pieces, or an amount."""

    position: int
    quantity: int | None = None
    amount: Decimal | None = None


class Credited(NamedTuple):
    """What was credited of a line before.

    ``cost`` is gross minus discount, all of it; ``by_amount`` is the part that was credited as an
    amount.
    """

    quantity: int
    cost: Decimal
    by_amount: Decimal
    net: Decimal


class SoFar(NamedTuple):
    """What was credited of an invoice before: by position of its lines, and the taxes."""

    lines: Mapping[int, Credited]
    taxes: Mapping[Group, Decimal]


class _Line:
    """A line of the invoice with its credits; amounts are in the smallest unit."""

    def __init__(self, line: ContentLine, before: Credited | None, exponent: int) -> None:
        self.line = line
        self.exponent = exponent
        self.gross = to_units(line.gross, exponent)
        self.cost = self.gross - to_units(line.discount, exponent)
        self.net = to_units(line.net, exponent)
        self.quantity = before.quantity if before else 0
        self.credited = to_units(before.cost, exponent) if before else 0
        self.by_amount = to_units(before.by_amount, exponent) if before else 0
        self.credited_net = to_units(before.net, exponent) if before else 0

    def of_pieces(self, quantity: int) -> tuple[int, int]:
        """Return gross and cost of so many pieces."""
        every = self.line.quantity
        discount = rounded((self.gross - self.cost) * quantity, every)
        if self.gross % every:
            # Pieces have a fraction of a yen. Cost and discount must both never fall.
            cost = rounded(self.cost * quantity, every)
            return cost + discount, cost
        gross = self.gross // every * quantity
        return gross, gross - discount

    def credit(self, asked: Asked) -> tuple[int, int, int]:
        """Return quantity, gross and cost of a credit. Raise ``ExceedsInvoice``."""
        if asked.amount is not None:
            units = to_units(asked.amount, self.exponent)
            if not 0 < units <= self.cost - self.credited:
                raise ExceedsInvoice
            return 0, units, units
        quantity = asked.quantity or 0
        if not 0 < quantity <= self.line.quantity - self.quantity:
            raise ExceedsInvoice
        before, _ = self.of_pieces(self.quantity)
        gross, cost = self.of_pieces(self.quantity + quantity)
        cost = min(cost + self.by_amount, self.cost) - self.credited
        return quantity, gross - before, cost

    def net_of(self, cost: int) -> int:
        """Return the net of a further credit by this line alone."""
        if not self.cost:
            return 0
        after = rounded(self.net * (self.credited + cost), self.cost)
        return min(max(after - self.credited_net, 0), cost)


def credit(body: Body, so_far: SoFar, asked: Sequence[Asked]) -> Body:
    """Return the body of a credit note; each position is asked for once.

    Raise ``ExceedsInvoice`` for more than is left, and ``KeyError`` for a position that the invoice
    has not.
    """
    exponent = body.exponent
    known = {
        line.position: _Line(line, so_far.lines.get(line.position), exponent) for line in body.lines
    }
    given = [(known[each.position], *known[each.position].credit(each)) for each in asked]
    nets: dict[int, int] = {}
    taxes: list[ContentTax] = []
    for group in body.taxes:
        key = (group.category, group.rate)
        lines = [each for each in known.values() if _group(each.line) == key]
        now = [(line, cost) for line, _, _, cost in given if _group(line.line) == key]
        if not now:
            continue
        cost = sum(each for _line, each in now)
        credited = sum(line.credited for line in lines) + cost
        if credited == sum(line.cost for line in lines):
            after = to_units(group.tax, exponent)
        else:
            after = tax_in(credited, group.rate, include_tax=body.prices_include_tax)
        tax = max(after - to_units(so_far.taxes.get(key, Decimal(0)), exponent), 0)
        net = cost
        if body.prices_include_tax:
            tax = min(tax, cost)
            net = cost - tax
        shares = _settled(net, now) if body.prices_include_tax else [each for _line, each in now]
        nets.update(
            {line.line.position: share for (line, _), share in zip(now, shares, strict=True)}
        )
        taxes.append(
            ContentTax(
                category=group.category,
                rate=group.rate,
                net=to_amount(net, exponent),
                tax=to_amount(tax, exponent),
                exemption=group.exemption,
            )
        )
    net, tax = sum(nets.values()), sum(to_units(each.tax, exponent) for each in taxes)
    return Body(
        currency=body.currency,
        exponent=exponent,
        prices_include_tax=body.prices_include_tax,
        lines=[
            _line(place, line.line, quantity, gross, cost, nets[line.line.position], exponent)
            for place, (line, quantity, gross, cost) in enumerate(given, 1)
        ],
        discounts=[],
        taxes=taxes,
        net=to_amount(net, exponent),
        tax=to_amount(tax, exponent),
        total=to_amount(net + tax, exponent),
    )


def rest_of(body: Body, so_far: SoFar) -> list[Asked]:
    """Return what must be credited so that all pieces of all lines are."""
    left = []
    for line in body.lines:
        before = so_far.lines.get(line.position)
        quantity = line.quantity - (before.quantity if before else 0)
        if quantity:
            left.append(Asked(line.position, quantity=quantity))
    return left


def _group(line: ContentLine) -> Group:
    return line.tax_category, line.tax_rate


def _settled(net: int, lines: Sequence[tuple[_Line, int]]) -> list[int]:
    """Return the nets of lines with these costs, which add up to ``net``.

    The group's net is rounded once, so it may differ by some units from those of the lines.
    """
    shares = [line.net_of(cost) for line, cost in lines]
    missing = net - sum(shares)
    step = 1 if missing > 0 else -1
    while missing:
        for index, (_line, cost) in enumerate(lines):
            if missing and 0 <= shares[index] + step <= cost:
                shares[index] += step
                missing -= step
    return shares


def _line(
    place: int, line: ContentLine, quantity: int, gross: int, cost: int, net: int, exponent: int
) -> ContentLine:
    """Return a line of the note. One that credits an amount has no pieces and the amount as its
    price.
    """
    return ContentLine(
        position=place,
        purchase=line.purchase,
        text=line.text,
        quantity=quantity,
        price=line.price if quantity else to_amount(gross, exponent),
        gross=to_amount(gross, exponent),
        discount=to_amount(gross - cost, exponent),
        net=to_amount(net, exponent),
        tax_category=line.tax_category,
        tax_rate=line.tax_rate,
        supplied_on=line.supplied_on,
        credits=line.position,
    )
