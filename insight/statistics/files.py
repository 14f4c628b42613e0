"""Answers of the statistics as files: CSV, and a spreadsheet's own format."""

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from purchases.workbook import CONTENT_TYPE, Workbook, row_of
from shop.core.cells import guard

Cell = str | int | Decimal
Table = tuple[list[str], list[list[Cell]]]

TYPES = {"csv": "text/csv; charset=utf-8", "xlsx": CONTENT_TYPE}
_SUMS = ("purchases", "quantity", "revenue")


def table(name: str, body: dict[str, Any]) -> Table:
    """Return the head and the rows of an answer; each row says its currency."""
    rows = list(_ROWS[name](body))
    return _HEADS[name], rows


def to_csv(head: list[str], rows: list[list[Cell]]) -> bytes:
    """Return the table as CSV; no text in it is read as a formula."""
    sink = io.StringIO()
    writer = csv.writer(sink)
    writer.writerow(head)
    for row in rows:
        writer.writerow([guard(cell) if isinstance(cell, str) else cell for cell in row])
    return sink.getvalue().encode()


def to_xlsx(name: str, head: list[str], rows: list[list[Cell]]) -> bytes:
    """Return the table as a workbook, with texts that are never formulas."""
    lines = [row_of(row) for row in rows]
    book = Workbook(name, head, [26 if column in _WIDE else 14 for column in head])
    return book.begin() + book.add(lines) + book.end()


_WIDE = frozenset({"start", "end", "item", "username"})


def _sums(part: dict[str, Any]) -> list[Cell]:
    return [part["purchases"], part["quantity"], Decimal(part["revenue"])]


def _words(value: bool) -> str:
    return "yes" if value else "no"


def _sales(body: dict[str, Any]) -> Iterator[list[Cell]]:
    for block in body["currencies"]:
        series = [("", block)] + ([("compared", block["compared"])] if "compared" in block else [])
        for label, each in series:
            for period in each["periods"]:
                yield [
                    *(block["currency"], label, period["start"], period["end"], *_sums(period)),
                    *(period["customers"], _words(period["partial"]), _words(period["complete"])),
                ]


def _items(body: dict[str, Any]) -> Iterator[list[Cell]]:
    for block in body["currencies"]:
        for each in block["items"]:
            yield [block["currency"], each["item"], 1, *_sums(each)]
        if block["other"]["items"]:
            yield [block["currency"], "", block["other"]["items"], *_sums(block["other"])]


def _customers(body: dict[str, Any]) -> Iterator[list[Cell]]:
    for each in body["top"]:
        yield [each["username"], each["userid"], each["currency"], *_sums(each)]


def _cohorts(body: dict[str, Any]) -> Iterator[list[Cell]]:
    for each in body["cohorts"]:
        for later, active in enumerate(each["active"]):
            for currency, amounts in each["revenue"].items():
                yield [
                    *(each["month"], each["customers"], later, active),
                    *(currency, Decimal(amounts[later])),
                ]


def _weekdays(body: dict[str, Any]) -> Iterator[list[Cell]]:
    for block in body["currencies"]:
        for place, day in enumerate(body["days"]):
            for hour in range(24):
                yield [
                    *(block["currency"], day, hour, block["purchases"][place][hour]),
                    Decimal(block["revenue"][place][hour]),
                ]


_HEADS = {
    "sales": ["currency", "range", "start", "end", *_SUMS, "customers", "partial", "complete"],
    "items": ["currency", "item", "items", *_SUMS],
    "customers": ["username", "userid", "currency", *_SUMS],
    "cohorts": ["month", "customers", "months_later", "active", "currency", "revenue"],
    "weekdays": ["currency", "weekday", "hour", "purchases", "revenue"],
}
_ROWS = {
    "sales": _sales,
    "items": _items,
    "customers": _customers,
    "cohorts": _cohorts,
    "weekdays": _weekdays,
}
