"""Contents of documents for tests, added up here, without the code of the shop."""

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple
from uuid import UUID

from billing.content import (
    Body,
    Buyer,
    Content,
    ContentDiscount,
    ContentLine,
    ContentTax,
    Corrected,
    Seller,
)

SELLER = Seller(
    name="Scalable Shop GmbH",
    address="Hauptstraße 12",
    postcode="10115",
    city="Berlin",
    country="DE",
    vat_id="DE123456788",
    tax_number="30/123/45678",
    email="billing@shop.example",
    iban="DE89 3704 0044 0532 0130 00",
    bic="COBADEFFXXX",
)
BUYER = Buyer(
    name="Joe Bloggs Ltd",
    address="1 High Street\nLondon N1 9GU",
    country="GB",
    vat_id="",
    userid="005",
    email="joe@example.com",
)
ID = UUID("0197f3c0-7a51-7c21-9c3e-0a4f6d2b9f10")
INVOICE = Corrected(id=ID, number="INV-2026-000123", issued_on=date(2026, 5, 1))


class L(NamedTuple):
    """A line to be added up."""

    text: str
    quantity: int
    price: str
    discount: str = "0"
    rate: str = "19.00"
    category: str = "S"
    day: date | None = date(2026, 4, 28)


def rounded(amount: Decimal, exponent: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-exponent), ROUND_HALF_UP)


def make_content(
    lines: Sequence[L] = (L("book", 3, "9.99", "3.00"),),
    *,
    include_tax: bool = True,
    currency: str = "EUR",
    exponent: int = 2,
    discounts: Sequence[ContentDiscount] = (),
    exemptions: dict[str, str] | None = None,
    seller: Seller = SELLER,
    **more: Any,
) -> Content:
    """Return the content of a document. A group's cents of rounding go to its last lines."""
    groups: dict[tuple[str, Decimal], list[int]] = {}
    gross, left = [], []
    for index, line in enumerate(lines):
        groups.setdefault((line.category, Decimal(line.rate)), []).append(index)
        gross.append(rounded(line.quantity * Decimal(line.price), exponent))
        left.append(gross[-1] - rounded(Decimal(line.discount), exponent))
    nets, taxes = list(left), []
    for (category, rate), members in groups.items():
        whole = sum((left[index] for index in members), Decimal(0))
        if include_tax:
            net = rounded(whole * 100 / (100 + rate), exponent)
            rest = net
            for index in members:
                nets[index] = min(rest, rounded(left[index] * 100 / (100 + rate), exponent))
                rest -= nets[index]
            nets[members[-1]] += rest
            tax = whole - net
        else:
            net, tax = whole, rounded(whole * rate / 100, exponent)
        reason = (exemptions or {}).get(category, "")
        taxes.append(ContentTax(category=category, rate=rate, net=net, tax=tax, exemption=reason))
    net, tax = (sum((getattr(each, name) for each in taxes), Decimal(0)) for name in ("net", "tax"))
    body = Body(
        currency=currency,
        exponent=exponent,
        prices_include_tax=include_tax,
        lines=[
            ContentLine(
                position=index + 1,
                purchase=UUID(int=index),
                text=line.text,
                quantity=line.quantity,
                price=Decimal(line.price),
                gross=gross[index],
                discount=gross[index] - left[index],
                net=nets[index],
                tax_category=line.category,
                tax_rate=Decimal(line.rate),
                supplied_on=line.day,
            )
            for index, line in enumerate(lines)
        ],
        discounts=list(discounts),
        taxes=taxes,
        net=net,
        tax=tax,
        total=net + tax,
    )
    is_invoice = more.get("corrects") is None
    described: dict[str, Any] = {
        "kind": "invoice" if is_invoice else "credit_note",
        "id": ID,
        "series": "INV-2026" if is_invoice else "CN-2026",
        "sequence": 123,
        "number": "INV-2026-000123" if is_invoice else "CN-2026-000007",
        "issued_on": date(2026, 5, 1),
        "due_on": date(2026, 5, 15) if is_invoice else None,
    }
    return Content(**{**described, "seller": seller, "buyer": "sha256:00", "body": body, **more})
