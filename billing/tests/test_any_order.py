"""Drafts, issues, credits and voids in any order, against a calculation by fractions."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest

from accounts.models import User
from billing.invoices.models import Balance, Claim, Document, Line
from billing.ledger_checks import CHECKS
from billing.money import Cut, Item
from billing.taxes.models import ItemTax, TaxRate
from billing.tests.conftest import Api, buy
from billing.tests.ledger import balance_of, sums_of
from billing.tests.test_money import calculated, half_up

D = Decimal
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
RATE_CHANGES = datetime(2026, 1, 10, tzinfo=UTC)
PLACES = {"EUR": 2, "JPY": 0}
Group = tuple[str, Decimal]


@dataclass
class Bought:
    """A purchase, as the shop knows it."""

    item: str
    quantity: int
    price: Decimal
    currency: str
    at: datetime

    @property
    def group(self) -> Group:
        if self.item == "book":
            return "S", D("7.00")
        return "S", D("16.00") if self.at < RATE_CHANGES else D("19.00")


@dataclass
class Expected:
    """An invoice as it must be. The credits of each line are its pieces and its amounts."""

    purchases: Sequence[UUID]
    groups: list[Group]
    quantities: list[int]
    lines: list[tuple[Decimal, Decimal, Decimal]]
    taxes: list[tuple[str, Decimal, Decimal, Decimal]]
    exponent: int
    include_tax: bool
    pieces: list[int] = field(default_factory=list)
    amounts: list[Decimal] = field(default_factory=list)
    void: bool = False

    def __post_init__(self) -> None:
        self.pieces = [0] * len(self.lines)
        self.amounts = [D(0)] * len(self.lines)

    @property
    def total(self) -> Decimal:
        return sum((net + tax for *_, net, tax in self.taxes), D(0))

    def cost(self, line: int) -> Decimal:
        """Return what was credited of a line, in the prices of the invoice."""
        gross, discount, _net = self.lines[line]
        part = Fraction(self.pieces[line], self.quantities[line])
        pieces = half_up(Fraction(gross) * part, self.exponent)
        pieces -= half_up(Fraction(discount) * part, self.exponent)
        return min(pieces + self.amounts[line], gross - discount)

    def left(self, line: int) -> Decimal:
        gross, discount, _net = self.lines[line]
        return gross - discount - self.cost(line)

    def credited(self) -> tuple[dict[Group, Decimal], Decimal]:
        """Return the credited taxes of each group, and all that is credited."""
        costs: dict[Group, Decimal] = defaultdict(Decimal)
        for line, group in enumerate(self.groups):
            costs[group] += self.cost(line)
        taxes, total = {}, D(0)
        for (category, rate), cost in costs.items():
            exact = Fraction(cost) * Fraction(rate)
            if self.include_tax:
                tax = cost - half_up(Fraction(cost) * 100 / (100 + Fraction(rate)), self.exponent)
                total += cost
            else:
                tax = half_up(exact / 100, self.exponent)
                total += cost + tax
            taxes[category, rate] = tax
        return taxes, total


class Shop:
    """The shop from outside, beside what must be so."""

    def __init__(self, seed: int, finance: Api, customer: User, include_tax: bool) -> None:
        self.random = random.Random(seed)
        self.finance, self.customer, self.include_tax = finance, customer, include_tax
        self.bought: dict[UUID, Bought] = {}
        self.drafts: dict[str, Expected] = {}
        self.invoices: dict[str, Expected] = {}
        self.done: dict[str, int] = defaultdict(int)

    def claimed(self) -> set[UUID]:
        living = (each for each in self.invoices.values() if not each.void)
        return {purchase for each in living for purchase in each.purchases}

    def buys(self) -> None:
        currency = self.random.choice(["EUR", "EUR", "JPY"])
        cents = self.random.choice([1, 7, 333, 999, self.random.randrange(1, 90_000)])
        price = D(cents) if currency == "JPY" else D(cents) / 100
        quantity = self.random.choice([1, 2, 3, 7, 12])
        item = self.random.choice(["book", "pen", "cup"])
        at = START + timedelta(hours=self.random.randrange(480), seconds=len(self.bought))
        (id,) = buy(self.customer, str(price), quantity, item=item, currency=currency, at=at)
        self.bought[id] = Bought(item, quantity, price, currency, at)

    def discount(self, lines: int) -> tuple[dict[str, Any], Cut]:
        asked: dict[str, Any] = {"reason": "loyal"}
        chosen = None
        if self.random.random() < 0.4:
            chosen = self.random.sample(range(1, lines + 1), self.random.randint(1, lines))
            asked["lines"] = chosen
        positions = None if chosen is None else frozenset(chosen)
        value = D(self.random.randrange(1, 10_000)) / 100
        if self.random.random() < 0.5:
            return {**asked, "percent": str(value)}, Cut(percent=value, lines=positions)
        value = D(int(value) + 1)
        return {**asked, "amount": str(value)}, Cut(amount=value, lines=positions)

    def draft(self) -> None:
        currency = self.random.choice(["EUR", "JPY"])
        free = {
            id: each
            for id, each in self.bought.items()
            if each.currency == currency and id not in self.claimed()
        }
        if not free:
            return
        ids = sorted(free, key=lambda id: free[id].at)
        asked = [self.discount(len(ids)) for _ in range(self.random.randint(0, 2))]
        body = {
            "username": self.customer.username,
            "currency": currency,
            "discounts": [each for each, _cut in asked],
        }
        response = self.finance("POST", "invoices/", body)
        assert response.status_code == 201, response.content
        exponent = PLACES[currency]
        items = [
            Item(n, free[id].quantity, free[id].price, *free[id].group)
            for n, id in enumerate(ids, 1)
        ]
        lines, taxes = calculated(items, [cut for _, cut in asked], exponent, self.include_tax)
        expected = Expected(
            purchases=ids,
            groups=[free[id].group for id in ids],
            quantities=[free[id].quantity for id in ids],
            lines=lines,
            taxes=taxes,
            exponent=exponent,
            include_tax=self.include_tax,
        )
        self.compare(response.json(), expected)
        self.drafts[response.json()["id"]] = expected
        self.done["draft"] += 1

    def compare(self, shown: dict[str, Any], expected: Expected) -> None:
        assert [line["purchase"] for line in shown["lines"]] == list(map(str, expected.purchases))
        assert [
            (D(line["gross"]), D(line["discount"]), D(line["net"])) for line in shown["lines"]
        ] == expected.lines
        assert [
            (tax["category"], D(tax["rate"]), D(tax["net"]), D(tax["tax"]))
            for tax in shown["taxes"]
        ] == expected.taxes
        assert D(shown["total"]) == expected.total

    def issue(self) -> None:
        if not self.drafts:
            return
        id = self.random.choice(list(self.drafts))
        expected = self.drafts.pop(id)
        response = self.finance("POST", f"invoices/{id}/issue/")
        if self.claimed() & set(expected.purchases):
            assert response.status_code == 409
            assert response.json()["errors"][0]["code"] == "already_invoiced"
            self.done["refused"] += 1
            return
        assert response.status_code == 200, response.content
        self.compare(response.json(), expected)
        self.invoices[id] = expected
        self.done["issue"] += 1

    def one(self) -> tuple[str, Expected] | None:
        return self.random.choice(list(self.invoices.items())) if self.invoices else None

    def credit(self) -> None:
        if (chosen := self.one()) is None:
            return
        id, invoice = chosen
        taxes, total = invoice.credited()
        lines: list[dict[str, Any]] = []
        count = len(invoice.lines)
        for line in self.random.sample(range(count), self.random.randint(1, min(3, count))):
            left = invoice.left(line)
            if left and self.random.random() < 0.4:
                unit = D(1).scaleb(-invoice.exponent)
                amount = min(left, max(unit, half_up(Fraction(left) / 3, invoice.exponent)))
                lines.append({"position": line + 1, "amount": str(amount)})
                invoice.amounts[line] += amount
            elif free := invoice.quantities[line] - invoice.pieces[line]:
                pieces = self.random.randint(1, free)
                lines.append({"position": line + 1, "quantity": pieces})
                invoice.pieces[line] += pieces
        if not lines:
            return
        body = {"reason": "returned", "lines": lines}
        response = self.finance("POST", f"invoices/{id}/credit-notes/", body)
        assert response.status_code == 201, response.content
        self.check_note(response.json(), invoice, taxes, total)
        self.done["credit"] += 1

    def check_note(
        self,
        note: dict[str, Any],
        invoice: Expected,
        taxes: dict[Group, Decimal],
        total: Decimal,
    ) -> None:
        """Compare a note with what is credited now, less what was credited before."""
        after, credited = invoice.credited()
        assert D(note["total"]) == credited - total
        assert D(note["total"]) == D(note["net"]) + D(note["tax"])
        assert sum(D(line["net"]) for line in note["lines"]) == D(note["net"])
        for tax in note["taxes"]:
            group = (tax["category"], D(tax["rate"]))
            assert D(tax["tax"]) == after[group] - taxes[group]
        assert sum(D(tax["tax"]) for tax in note["taxes"]) == D(note["tax"])

    def too_much(self) -> None:
        if (chosen := self.one()) is None:
            return
        id, invoice = chosen
        line = self.random.randrange(len(invoice.lines))
        more = invoice.quantities[line] - invoice.pieces[line] + 1
        for part in ({"quantity": more}, {"amount": str(invoice.left(line) + 1)}):
            body = {"reason": "more", "lines": [{"position": line + 1, **part}]}
            response = self.finance("POST", f"invoices/{id}/credit-notes/", body)
            assert response.json()["errors"][0]["code"] == "exceeds_invoice"

    def void(self) -> None:
        if self.random.random() < 0.5 or (chosen := self.one()) is None:
            return
        id, invoice = chosen
        taxes, total = invoice.credited()
        whole = invoice.pieces == invoice.quantities
        response = self.finance("POST", f"invoices/{id}/void/", {"reason": "wrong"})
        assert response.status_code == (200 if invoice.void else 201), response.content
        invoice.void = True
        invoice.pieces = list(invoice.quantities)
        if not whole:
            self.check_note(response.json(), invoice, taxes, total)
        self.done["void"] += 1

    def check(self) -> None:
        """Compare everything that is stored with what must be so."""
        assert set(Claim.objects.values_list("purchase", flat=True)) == self.claimed()
        for id, expected in self.invoices.items():
            document = Document.objects.get(pk=UUID(id))
            balance = Balance.objects.get(pk=document.pk)
            notes = Document.objects.filter(corrects=document)
            assert balance_of(document) == sums_of(document)
            assert balance.credited == expected.credited()[1] == sum(n.total for n in notes)
            assert (balance.status == "void") == expected.void
            assert balance.total == expected.total
            if expected.pieces == expected.quantities:
                assert balance.credited == balance.total
                assert sum(note.tax for note in notes) == document.tax
        for line in Line.objects.filter(document__kind="credit_note"):
            assert line.net <= line.gross - line.discount
        for each in CHECKS:
            assert list(each.find_broken(lambda _line: None)) == [], each.what
        for kind in ("invoice", "credit_note"):
            numbers = Document.objects.filter(kind=kind).order_by("number")
            assert [each.number for each in numbers] == list(range(1, len(numbers) + 1))


@pytest.mark.django_db
@pytest.mark.parametrize("include_tax", [True, False])
def test_drafts_issues_credits_and_voids_in_any_order(
    finance: Api, customer: User, settings: Any, include_tax: bool
) -> None:
    settings.BILLING_PRICES_INCLUDE_TAX = include_tax
    for code, rate, since in (
        ("standard", "16", "2020-01-01"),
        ("standard", "19", RATE_CHANGES.date()),
        ("reduced", "7", "2020-01-01"),
    ):
        TaxRate.objects.create(code=code, category="S", rate=rate, valid_from=since)
    ItemTax.objects.create(item="book", code="reduced")
    shop = Shop(20 + include_tax, finance, customer, include_tax)
    steps = [shop.buys, shop.buys, shop.draft, shop.issue, shop.credit, shop.credit]
    steps += [shop.credit, shop.too_much, shop.void]
    for _ in range(70):
        shop.random.choice(steps)()
    shop.check()
    # The run has done everything.
    assert {"draft", "issue", "refused", "credit", "void"} <= shop.done.keys()
