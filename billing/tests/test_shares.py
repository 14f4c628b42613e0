"""Credits are cumulative: whatever the order, all of them together are the invoice."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from billing.content import Body, ContentLine, ContentTax
from billing.credits.shares import Asked, Credited, ExceedsInvoice, SoFar, credit, rest_of
from billing.money import Cut, Item, price
from billing.tests.test_money import BUSY, RATES, amounts, half_up, invoices

D = Decimal


def invoiced(
    items: Sequence[Item], cuts: Sequence[Cut] = (), exponent: int = 2, include_tax: bool = True
) -> Body:
    """Return the body of an invoice."""
    priced = price(items, cuts, exponent=exponent, include_tax=include_tax)
    return Body(
        currency="EUR" if exponent else "JPY",
        exponent=exponent,
        prices_include_tax=include_tax,
        lines=[
            ContentLine(
                position=item.position,
                purchase=UUID(int=item.position),
                text="book",
                quantity=item.quantity,
                price=item.price,
                gross=line.gross,
                discount=line.discount,
                net=line.net,
                tax_category=item.category,
                tax_rate=item.rate,
            )
            for item, line in zip(items, priced.lines, strict=True)
        ],
        discounts=[],
        taxes=[
            ContentTax(category=each.category, rate=each.rate, net=each.net, tax=each.tax)
            for each in priced.taxes
        ],
        net=priced.net,
        tax=priced.tax,
        total=priced.total,
    )


class Invoice:
    """An invoice with its credit notes, which remembers what the database would sum."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.notes: list[Body] = []

    def so_far(self) -> SoFar:
        lines: dict[int, Credited] = {}
        taxes: dict[tuple[str, Decimal], Decimal] = defaultdict(Decimal)
        for note in self.notes:
            for line in note.lines:
                assert line.credits is not None
                cost = line.gross - line.discount
                before = lines.get(line.credits, Credited(0, D(0), D(0), D(0)))
                lines[line.credits] = Credited(
                    before.quantity + line.quantity,
                    before.cost + cost,
                    before.by_amount + (D(0) if line.quantity else cost),
                    before.net + line.net,
                )
            for tax in note.taxes:
                taxes[tax.category, tax.rate] += tax.tax
        return SoFar(lines, taxes)

    def credit(self, *asked: Asked) -> Body:
        note = credit(self.body, self.so_far(), asked)
        self.notes.append(note)
        return note

    def credit_rest(self) -> Body:
        return self.credit(*rest_of(self.body, self.so_far()))

    def check(self) -> None:
        """Compare the sums of all notes with a calculation by fractions."""
        costs: dict[tuple[str, Decimal], Decimal] = defaultdict(Decimal)
        full: dict[tuple[str, Decimal], Decimal] = defaultdict(Decimal)
        for line in self.body.lines:
            full[line.tax_category, line.tax_rate] += line.gross - line.discount
        for note in self.notes:
            assert note.total == note.net + note.tax
            assert note.net == sum(each.net for each in note.lines)
            assert note.net == sum(each.net for each in note.taxes)
            assert note.tax == sum(each.tax for each in note.taxes)
            for line in note.lines:
                assert line.net >= 0
                assert 0 <= line.discount <= line.gross
                costs[line.tax_category, line.tax_rate] += line.gross - line.discount
            assert all(each.tax >= 0 for each in note.taxes)
        so_far = self.so_far()
        for (category, rate), cost in costs.items():
            assert cost <= full[category, rate]
            exact = Fraction(cost) * Fraction(rate)
            if self.body.prices_include_tax:
                tax = cost - half_up(
                    Fraction(cost) * 100 / (100 + Fraction(rate)), self.body.exponent
                )
            else:
                tax = half_up(exact / 100, self.body.exponent)
            assert so_far.taxes[category, rate] == tax
        assert sum(note.total for note in self.notes) <= self.body.total


@BUSY
@given(invoices(), st.booleans(), st.sampled_from([0, 2, 2]), st.data())
def test_all_credited_is_the_invoice_in_any_order(
    given_invoice: tuple[list[Item], list[Cut]],
    include_tax: bool,
    exponent: int,
    data: st.DataObject,
) -> None:
    items, cuts = given_invoice
    invoice = Invoice(invoiced(items, cuts, exponent, include_tax))
    so_far = invoice.so_far()
    for _ in range(data.draw(st.integers(0, 6))):
        so_far = invoice.so_far()
        asked = []
        for line in data.draw(
            st.lists(
                st.sampled_from(invoice.body.lines), min_size=1, unique_by=lambda e: e.position
            )
        ):
            before = so_far.lines.get(line.position, Credited(0, D(0), D(0), D(0)))
            left = line.gross - line.discount - before.cost
            if left and data.draw(st.booleans()):
                units = data.draw(st.integers(1, int(left.scaleb(exponent))))
                asked.append(Asked(line.position, amount=D(units).scaleb(-exponent)))
            elif line.quantity > before.quantity:
                pieces = data.draw(st.integers(1, line.quantity - before.quantity))
                asked.append(Asked(line.position, quantity=pieces))
        assume(asked)
        invoice.credit(*asked)
        invoice.check()
    if rest_of(invoice.body, invoice.so_far()):
        invoice.credit_rest()
    invoice.check()
    so_far = invoice.so_far()
    assert sum(note.total for note in invoice.notes) == invoice.body.total
    assert sum(note.tax for note in invoice.notes) == invoice.body.tax
    for tax in invoice.body.taxes:
        assert so_far.taxes[tax.category, tax.rate] == tax.tax
    for line in invoice.body.lines:
        assert so_far.lines[line.position].quantity == line.quantity
        assert so_far.lines[line.position].cost == line.gross - line.discount
    assert rest_of(invoice.body, so_far) == []


@BUSY
@given(amounts(10**5), st.integers(1, 40), amounts(10**5), st.sampled_from(RATES), st.data())
def test_pieces_one_by_one_or_together_come_to_the_same(
    each: Decimal, quantity: int, off: Decimal, rate: Decimal, data: st.DataObject
) -> None:
    body = invoiced([Item(1, quantity, each, "S", rate)], [Cut(amount=off)])
    one_by_one, together = Invoice(body), Invoice(body)
    pieces = data.draw(st.integers(1, quantity))
    for _ in range(pieces):
        one_by_one.credit(Asked(1, quantity=1))
    together.credit(Asked(1, quantity=pieces))
    assert one_by_one.so_far() == together.so_far()


def test_single_notes_do_not_sum_to_more_than_the_invoice() -> None:
    """lago-api 2643: credited line by line it was 335.00 of 334.99."""
    prices = ("68.33", "68.33", "57.50", "85.00")
    items = [Item(n, 1, D(each), "S", D("20.00")) for n, each in enumerate(prices, 1)]
    invoice = Invoice(invoiced(items, include_tax=False))
    assert invoice.body.total == D("334.99")
    taxes = [str(invoice.credit(Asked(n, quantity=1)).tax) for n in (1, 2, 3, 4)]
    assert taxes == ["13.67", "13.66", "11.50", "17.00"]
    assert sum(note.total for note in invoice.notes) == D("334.99")


def test_the_last_credit_takes_what_the_invoice_says_even_if_it_is_not_what_we_would_say() -> None:
    """An invoice may be older than today's rules. Here its tax is a cent less."""
    for include_tax in (True, False):
        body = invoiced([Item(1, 3, D("10.00"), "S", D("19.00"))], include_tax=include_tax)
        cent = D("0.01")
        net = body.net + cent if include_tax else body.net
        invoice = Invoice(
            replace(
                body,
                lines=[replace(body.lines[0], net=net)],
                taxes=[replace(body.taxes[0], net=net, tax=body.tax - cent)],
                net=net,
                tax=body.tax - cent,
                total=net + body.tax - cent,
            )
        )
        for _ in range(3):
            invoice.credit(Asked(1, quantity=1))
        assert sum(note.tax for note in invoice.notes) == invoice.body.tax
        assert sum(note.total for note in invoice.notes) == invoice.body.total


def test_a_return_gives_back_what_was_paid_for_the_piece() -> None:
    """PrestaShop 18319, sonata-ecommerce 177: not the list price, not the whole discount."""
    invoice = Invoice(invoiced([Item(1, 3, D("10.00"), "S", D("0.00"))], [Cut(amount=D("5.00"))]))
    notes = [invoice.credit(Asked(1, quantity=1)) for _ in range(3)]
    assert [str(note.total) for note in notes] == ["8.33", "8.34", "8.33"]
    assert [str(note.lines[0].gross) for note in notes] == ["10.00"] * 3
    assert [str(note.lines[0].discount) for note in notes] == ["1.67", "1.66", "1.67"]


def test_amounts_and_pieces_together_never_exceed_the_line() -> None:
    invoice = Invoice(invoiced([Item(1, 3, D("10.00"), "S", D("19.00"))]))
    allowance = invoice.credit(Asked(1, amount=D("15.00"))).lines[0]
    assert (allowance.quantity, allowance.price, allowance.discount) == (0, D("15.00"), D(0))
    totals = [str(invoice.credit(Asked(1, quantity=1)).total) for _ in range(3)]
    assert totals == ["10.00", "5.00", "0.00"]
    with pytest.raises(ExceedsInvoice):
        invoice.credit(Asked(1, amount=D("0.01")))


@pytest.mark.parametrize(
    "asked",
    [
        Asked(1, quantity=4),
        Asked(1, quantity=0),
        Asked(1, amount=D("30.01")),
        Asked(1, amount=D("0.00")),
        Asked(1, amount=D("0.001")),
        Asked(1),
    ],
)
def test_more_than_the_line_or_nothing_is_refused(asked: Asked) -> None:
    invoice = Invoice(invoiced([Item(1, 3, D("10.00"), "S", D("19.00"))]))
    with pytest.raises(ExceedsInvoice) as error:
        invoice.credit(asked)
    assert error.value.status == 409
