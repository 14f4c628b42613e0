"""Reports for tests, made from a few lines and read back with an independent library."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from pypdf import PdfReader
from pypdf.generic import ContentStream

from reports.contents import (
    CurrencyTotal,
    MonthTotal,
    StatementHeader,
    StatementLine,
)
from reports.rendering import render_statement

REPORT_ID = "0197f3c0-1111-7000-8000-000000000001"
LINE = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\s(?!UTC\n)(.*?)\s?"
    r"(\d+)\s(\d+(?:\.\d\d)?) ([A-Z]{3}) (\d+(?:\.\d\d)?)\n",
    re.DOTALL,
)

HOSTILE = [
    '#import "@preview/cetz:0.3.0": *',
    '#read("/etc/passwd")',
    "$ x^2 $ *bold* _it_ `raw` ] [ } { \\",
    "<label> @reference // comment /* open",
    "== heading",
    "5 0 R /K[1 0 R] endobj (U1x0y0) ((",
    "W" * 200,
    "i" * 200,
    "word " * 40,
    "a" * 199 + "\u0301",
    "Z" + "\u0301" * 50 + "algo",
    "nul \x00 bell \x07 lone \ud800 \udfff",
    "\u202eoverride\u202c \u2066isolate",
    "שלום עִבְרִית مرحبا مُحَمَّد",
    "日本語 😀 👨‍👩‍👧 🇩🇪 हिन्दी ภาษาไทย ລາວ",
    "tab\tline\nreturn\r\n\u2028\u2029\u00a0\ufeff\u200b",
    "\ue000\uf8ff\U0010ffff",
    "",
    "   ",
    "\u0301mark first",
    "ﬁ office AVAVA -- --- ... \"quotes\" 'single'",
]


def make_lines(
    count: int, currencies: tuple[str, ...] = ("EUR",), items: Iterable[str] = ()
) -> list[StatementLine]:
    names = list(items) or [f"Item {index}" for index in range(count)]
    lines = []
    for index in range(count):
        price = Decimal(index * 37 % 100_000) / 100
        quantity = index % 4 + 1
        lines.append(
            StatementLine(
                timestamp=datetime(2024, 4, 1, tzinfo=UTC)
                + timedelta(seconds=index * (60 * 86400 // max(count, 1))),
                item=names[index],
                quantity=quantity,
                price=price,
                currency=currencies[index % len(currencies)],
                total=price * quantity,
            )
        )
    return lines


def make_header(lines: Iterable[StatementLine]) -> StatementHeader:
    months: defaultdict[tuple[date, str], list[Decimal]] = defaultdict(list)
    totals: defaultdict[str, list[Decimal]] = defaultdict(list)
    for line in lines:
        months[line.timestamp.date().replace(day=1), line.currency].append(line.total)
        totals[line.currency].append(line.total)
    return StatementHeader(
        report_id=REPORT_ID,
        shop_name="Corner Shop",
        username="joe",
        userid="005",
        email="joe@example.org",
        since=date(2024, 4, 1),
        until=date(2024, 5, 31),
        generated_at=datetime(2024, 6, 1, 10, 30, tzinfo=timezone(timedelta(hours=2))),
        months=[
            MonthTotal(
                month=month, currency=currency, purchases=len(some), total=sum(some, Decimal())
            )
            for (month, currency), some in sorted(months.items())
        ],
        totals=[
            CurrencyTotal(currency=currency, purchases=len(some), total=sum(some, Decimal()))
            for currency, some in sorted(totals.items())
        ],
    )


def render(path: Path, lines: list[StatementLine], **options) -> Any:
    header = options.pop("header", None) or make_header(lines)
    report = render_statement(header=header, lines=iter(lines), output=path, **options)
    reader = PdfReader(path, strict=True)
    assert report.pages == len(reader.pages)
    assert report.size == path.stat().st_size
    return reader


def texts(reader: Any) -> list[str]:
    return [page.extract_text() + "\n" for page in reader.pages]


def squeeze(text: str) -> str:
    return re.sub(r"\s", "", text)


def read_lines(reader: Any) -> list[tuple[str, str, str, str, str, str]]:
    return [found for text in texts(reader) for found in LINE.findall(text)]


def assert_tagged(reader: Any) -> list[Any]:
    """Check that the marked content of every page agrees with its structure element.

    Return the rows of all tables, in reading order.
    """
    catalog: Any = reader.root_object
    assert catalog["/MarkInfo"]["/Marked"]
    assert catalog["/Lang"] == "en"
    root = catalog["/StructTreeRoot"]
    parents = dict(number_tree(root["/ParentTree"]))
    ids = dict(name_tree(root["/IDTree"]))
    assert list(ids) == sorted(ids)

    keys = [page["/StructParents"] for page in reader.pages]
    assert sorted(parents) == keys == list(range(len(reader.pages)))
    page: Any
    for page in reader.pages:
        elements = parents[page["/StructParents"]]
        marked = [
            operands[1]["/MCID"]
            for operands, operator in ContentStream(page["/Contents"], reader).operations
            if operator == b"BDC" and "/MCID" in operands[1]
        ]
        assert sorted(marked) == list(range(len(elements)))
        for content in marked:
            element = elements[content].get_object()
            assert element["/Pg"].get_object() == page.get_object()
            assert content in element["/K"]

    rows: list[Any] = []

    def walk(element: Any) -> None:
        for kid in element.get("/K", ()):
            if isinstance(kid, int):
                continue
            kid = kid.get_object()
            assert kid["/P"].get_object() is element
            if kid["/S"] == "/TR":
                rows.append(kid)
            if kid["/S"] == "/TD":
                for name in kid["/A"][0]["/Headers"]:
                    assert ids[name].get_object()["/S"] == "/TH"
            walk(kid)

    (document,) = root["/K"]
    document = document.get_object()
    assert document["/S"] == "/Document"
    assert document["/P"].get_object() is root
    walk(document)
    return rows


def number_tree(node: Any) -> Iterable[tuple[int, Any]]:
    for kid in node.get("/Kids", ()):
        found = list(number_tree(kid.get_object()))
        assert kid.get_object()["/Limits"] == [found[0][0], found[-1][0]]
        yield from found
    pairs = node.get("/Nums", [])
    yield from ((key, value.get_object()) for key, value in zip(pairs[::2], pairs[1::2]))  # noqa: B905


def name_tree(node: Any) -> Iterable[tuple[str, Any]]:
    for kid in node.get("/Kids", ()):
        found = list(name_tree(kid.get_object()))
        assert kid.get_object()["/Limits"] == [found[0][0], found[-1][0]]
        yield from found
    pairs = node.get("/Names", [])
    yield from zip(pairs[::2], pairs[1::2])  # noqa: B905
