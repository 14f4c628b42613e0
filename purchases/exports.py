"""The purchase list as CSV or JSON lines, streamed in constant memory."""

import csv
from collections.abc import Iterator

import msgspec
from django.db.models import QuerySet

from purchases.cells import guard
from purchases.models import Purchase
from purchases.representation import PurchaseData
from purchases.selectors import purchase_rows

_COLUMNS = tuple(PurchaseData.__annotations__)
_ROWS_A_BLOCK = 500


class _Line:
    """A file whose ``write`` gives back what csv has formatted."""

    def write(self, text: str) -> str:
        return text


def _blocks(lines: Iterator[str]) -> Iterator[bytes]:
    block: list[str] = []
    for line in lines:
        block.append(line)
        if len(block) == _ROWS_A_BLOCK:
            yield "".join(block).encode()
            block = []
    if block:
        yield "".join(block).encode()


def csv_export(queryset: QuerySet[Purchase]) -> Iterator[bytes]:
    """Yield the purchases as CSV with a header; cells that look like formulas are guarded."""
    writer = csv.writer(_Line())

    def lines() -> Iterator[str]:
        yield writer.writerow(_COLUMNS)
        for row in purchase_rows(queryset):
            yield writer.writerow([guard(str(value)) for value in row.values()])

    return _blocks(lines())


def jsonl_export(queryset: QuerySet[Purchase]) -> Iterator[bytes]:
    """Yield the purchases as JSON, one a line, in the shape of the API."""
    return _blocks(msgspec.json.encode(row).decode() + "\n" for row in purchase_rows(queryset))
