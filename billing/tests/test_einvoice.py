"""E-invoices: the official schematron, and each cent, because the schematron forgives some."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from billing.content import Buyer, Content, ContentDiscount, Seller
from billing.paper.einvoice import TermsMissing, xml_of
from billing.paper.terms import terms_of, unit_price
from billing.tests.papers import BUYER, INVOICE, SELLER, L, make_content

IN_EU = Buyer(name="Jörg & Söhne <OHG>", country="FR", vat_id="FR40303265045", userid="7")
SPRING = ContentDiscount(coupon="SPRING", reason=None, percent=Decimal(10), amount=Decimal("3.00"))
NO_VAT_ID = Seller(name="Klein", country="DE", tax_number="30/123/45678")


def in_random_lines(seed: int) -> list[L]:
    chance = random.Random(seed)
    lines = []
    for number in range(chance.randint(1, 30)):
        price = Decimal(chance.randint(1, 99_999)) / 100
        quantity = chance.choice([1, 1, 2, 3, 7, 60, 999])
        discount = chance.choice([Decimal(0), price, price * quantity, Decimal("0.01")])
        rate = chance.choice(["19.00", "7.00", "5.50", "0.00"])
        category = "Z" if rate == "0.00" else "S"
        day = date(2026, 4, chance.randint(1, 30))
        lines.append(L(f"item {number}", quantity, str(price), str(discount), rate, category, day))
    return lines


def cases() -> Iterator[tuple[Content, Buyer]]:
    yield make_content(discounts=[SPRING]), BUYER
    yield make_content(include_tax=False, corrects=INVOICE, reason="broken & <bent>"), BUYER
    yield make_content([L("free", 1, "10.00", "10.00")]), BUYER
    yield make_content([L("本", 3, "333", "9")], currency="JPY", exponent=0), BUYER
    yield make_content(due_on=None, currency="KWD"), BUYER
    yield make_content([L("\u202eمرحبا \U0001f4da", 1, "5.00", day=None), L(" ", 2, "3.00")]), BUYER
    yield make_content([L("piano", 1, "900.00", rate="0", category="K")]), IN_EU
    yield make_content([L("advice", 1, "900.00", rate="0", category="AE")]), IN_EU
    yield make_content([L("piano", 1, "900.00", rate="0", category="G")]), BUYER
    yield make_content([L("book", 2, "9.00", rate="0", category="O")], seller=NO_VAT_ID), IN_EU
    lesson = L("lesson", 1, "40.00", rate="0", category="E")
    yield make_content([lesson, L("book", 1, "7.00")], exemptions={"E": "§ 4 UStG"}), BUYER
    for seed in range(12):
        lines = in_random_lines(seed)
        more: dict[str, Any] = {"corrects": INVOICE} if seed % 3 == 0 else {}
        yield make_content(lines, include_tax=seed % 2 == 0, **more), (BUYER, IN_EU)[seed % 2]


def validate(syntax: str, folder: Path, documents: list[bytes]) -> list[list[str]]:
    paths = []
    for number, xml in enumerate(documents):
        paths.append(folder / f"{number}-{syntax}.xml")
        paths[-1].write_bytes(xml)
    script = Path(__file__).with_name("schematron.py")
    command = [sys.executable, str(script), syntax, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found: list[list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("syntax", ["cii", "ubl"])
def test_the_official_schematron_finds_nothing(syntax: str, tmp_path: Path) -> None:
    documents = [xml_of(content, buyer, syntax) for content, buyer in cases()]
    wrong = documents[0].replace(b">26.97<", b">99.97<")
    *found, of_wrong = validate(syntax, tmp_path, [*documents, wrong])
    assert found == [[]] * len(documents)
    # The validator does look.
    assert any("BR-CO-15" in failure for failure in of_wrong)


class Cents:
    """Sums of one e-invoice in CII or UBL, read by paths of the standard."""

    PATHS = {
        "cii": {
            "line": "//*[local-name()='IncludedSupplyChainTradeLineItem']",
            "price": ".//*[local-name()='NetPriceProductTradePrice']"
            "/*[local-name()='ChargeAmount']",
            "base": ".//*[local-name()='NetPriceProductTradePrice']"
            "/*[local-name()='BasisQuantity']",
            "quantity": ".//*[local-name()='BilledQuantity']",
            "allowance": ".//*[local-name()='ActualAmount']",
            "net": ".//*[local-name()='LineTotalAmount']",
            "tax": "//*[local-name()='ApplicableHeaderTradeSettlement']"
            "/*[local-name()='ApplicableTradeTax']",
            "tax_net": "*[local-name()='BasisAmount']",
            "tax_rate": "*[local-name()='RateApplicablePercent']",
            "tax_tax": "*[local-name()='CalculatedAmount']",
            "total": "//*[local-name()='GrandTotalAmount']",
            "due": "//*[local-name()='DuePayableAmount']",
        },
        "ubl": {
            "line": "//*[local-name()='InvoiceLine' or local-name()='CreditNoteLine']",
            "price": ".//*[local-name()='PriceAmount']",
            "base": ".//*[local-name()='BaseQuantity']",
            "quantity": "*[local-name()='InvoicedQuantity' or local-name()='CreditedQuantity']",
            "allowance": "*[local-name()='AllowanceCharge']/*[local-name()='Amount']",
            "net": "*[local-name()='LineExtensionAmount']",
            "tax": "//*[local-name()='TaxSubtotal']",
            "tax_net": "*[local-name()='TaxableAmount']",
            "tax_rate": "*[local-name()='TaxCategory']/*[local-name()='Percent']",
            "tax_tax": "*[local-name()='TaxAmount']",
            "total": "//*[local-name()='TaxInclusiveAmount']",
            "due": "//*[local-name()='PayableAmount']",
        },
    }

    def __init__(self, xml: bytes, syntax: str) -> None:
        self.root = etree.fromstring(xml)
        self.paths = self.PATHS[syntax]

    def all(self, name: str) -> list[Any]:
        found: list[Any] = self.root.xpath(self.paths[name])
        return found

    def of(self, node: Any, name: str, default: str = "") -> Decimal:
        found = node.xpath(self.paths[name])
        return Decimal(found[0].text if found else default)


@pytest.mark.parametrize("syntax", ["cii", "ubl"])
def test_every_cent_is_that_of_the_content(syntax: str) -> None:
    for content, buyer in cases():
        body = content.body
        cents = Cents(xml_of(content, buyer, syntax), syntax)
        unit = Decimal(1).scaleb(-body.exponent)
        lines = cents.all("line")
        assert [cents.of(line, "net") for line in lines] == [line.net for line in body.lines]
        for node, line in zip(lines, body.lines, strict=True):
            # The price, the quantity and the allowance give the net amount to the cent.
            price = cents.of(node, "price") / cents.of(node, "base", "1")
            whole = (price * cents.of(node, "quantity")).quantize(unit, "ROUND_HALF_UP")
            allowance = cents.of(node, "allowance", "0")
            assert (whole - allowance, allowance >= 0) == (line.net, True)
            assert line.net + allowance <= line.gross
        taxes = [
            (cents.of(tax, "tax_rate", "0"), cents.of(tax, "tax_net"), cents.of(tax, "tax_tax"))
            for tax in cents.all("tax")
        ]
        assert taxes == [(tax.rate, tax.net, tax.tax) for tax in body.taxes]
        assert sum(net for _, net, _ in taxes) == sum(line.net for line in body.lines)
        total = sum(net + tax for _, net, tax in taxes)
        # What has been paid is never said.
        assert cents.of(cents.root, "total") == cents.of(cents.root, "due") == total == body.total
        gross = sum(line.gross - line.discount for line in body.lines)
        assert total == gross if body.prices_include_tax else body.net == gross


def test_prices_are_for_one_piece_unless_none_is_exact() -> None:
    assert unit_price(Decimal("25.18"), 3, 2) == (Decimal("8.393"), 1)
    assert unit_price(Decimal("10.00"), 4, 2) == (Decimal("2.50"), 1)
    assert unit_price(Decimal("100"), 7, 0) == (Decimal("14.3"), 1)
    assert unit_price(Decimal("0.00"), 9999, 2) == (Decimal("0.00"), 1)
    assert unit_price(Decimal("12345.67"), 99_991, 2) == (Decimal("12345.67"), 99_991)


def test_the_same_content_gives_the_same_bytes() -> None:
    for syntax in ("cii", "ubl"):
        assert xml_of(make_content(), BUYER, syntax) == xml_of(make_content(), BUYER, syntax)


def one(category: str) -> L:
    return L("x", 1, "1.00", rate="0", category=category)


@pytest.mark.parametrize(
    ("more", "buyer", "missing"),
    [
        ({"seller": Seller()}, Buyer(name=""), "BT-27 BT-32 BT-40 BT-44 BT-55"),
        ({"lines": [one("K")._replace(day=None)]}, BUYER, "BT-48 BT-72"),
        ({"lines": [one("AE")]}, BUYER, "BT-48"),
        ({"lines": [one("G")], "seller": NO_VAT_ID}, BUYER, "BT-31"),
        ({"lines": [one("E")]}, BUYER, "BT-120"),
        ({"lines": [one("O"), L("y", 1, "1")]}, BUYER, "BT-118"),
        ({"currency": "XAD"}, BUYER, "BT-5"),
    ],
)
def test_missing_terms_are_named(more: dict[str, Any], buyer: Buyer, missing: str) -> None:
    with pytest.raises(TermsMissing) as raised:
        xml_of(make_content(**more), buyer)
    assert set(raised.value.missing) == set(missing.split())
    assert all(raised.value.missing.values())


def test_what_xml_cannot_hold_is_replaced() -> None:
    content = make_content([L("a\x00b\ufffec <&> \r\n d", 1, "1.00")])
    text = xml_of(content, BUYER).decode()
    assert "a\ufffdb\ufffdc &lt;&amp;&gt; d" in text


def test_the_parties_are_named_as_the_standard_asks() -> None:
    terms = terms_of(make_content(), BUYER).terms
    assert terms["BT-83"] == "RF98INV2026000123"
    assert terms["BT-81"] == "58"
    assert terms["BT-84"] == SELLER.iban.replace(" ", "")
    assert terms["BG-7"]["addr_l2"] == "London N1 9GU"
    credit = terms_of(make_content(corrects=INVOICE), BUYER).terms
    assert credit["BT-3"] == "381"
    assert credit["BG-3"] == [{"BT-25": INVOICE.number, "BT-26": INVOICE.issued_on}]
    assert "BT-84" not in credit
