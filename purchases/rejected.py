"""The file of an import's rejected lines, with the reason for each."""

import csv
import re
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

from purchases.tables import Table
from purchases.validation import digest
from shop.core.cells import guard
from shop.core.errors import ApplicationError

# Each reason ends with the line's number and a digest of the row. The import replaces or removes a
# file only if all digests match, because then no person has edited it.
_SEAL = re.compile(r"(.*) \(line [0-9]+, ([0-9a-f]{8})\)", re.DOTALL)
_REASON = re.compile(r"reason( [0-9]+)?")


class Rejected:
    """The rejected lines of one run; the first one creates the file.

    It has the format of the imported file, with the lines before the header, so that the same
    command imports it after corrections. If another file has the name ``FILE.EXT.rejected.csv``,
    the next free name is used, such as ``FILE.EXT.rejected-2.csv``.
    """

    def __init__(self, stack: ExitStack, source: Path, table: Table, encoding: str) -> None:
        self._stack, self._table, self._encoding = stack, table, encoding
        self._errors = "surrogateescape" if encoding == "utf-8" else "replace"
        self._preamble = table.preamble.decode("utf-8", "surrogateescape")
        self._writer: Any = None
        self.path = source
        for number in count(1):
            suffix = "" if number == 1 else f"-{number}"
            self.path = source.with_name(f"{source.name}.rejected{suffix}.csv")
            if not self._exists() or self._is_ours():
                break

    def write(self, number: int, row: list[str], error: ApplicationError) -> None:
        """Add a line with its number and its reason."""
        missing = [""] * (len(self._table.header) - len(row))
        reasons = (
            f"{item.attr}: {item.detail}" if item.attr else item.detail for item in error.errors
        )
        cells = [*row, *missing, guard("; ".join(reasons))]
        cells = [self._written(cell) for cell in cells]
        cells[-1] += f" (line {number}, {_digest(cells)})"
        if self._writer is None:
            self._writer = self._open()
        self._writer.writerow(cells)

    def remove(self) -> None:
        """Remove the file of an earlier run, because its lines have been corrected since."""
        if self._exists():
            self.path.unlink()

    def _open(self) -> Any:
        file = self._stack.enter_context(
            self.path.open("w", newline="", encoding=self._encoding, errors=self._errors)
        )
        file.write(self._preamble)
        writer = csv.writer(file, delimiter=self._table.delimiter)
        names = ["reason", *(f"reason {number}" for number in range(2, 99))]
        reason = next(name for name in names if name not in self._table.header)
        writer.writerow([*self._table.header, reason])
        return writer

    def _written(self, cell: str) -> str:
        return cell.encode(self._encoding, self._errors).decode(self._encoding, self._errors)

    def _exists(self) -> bool:
        return self.path.is_symlink() or self.path.exists()

    def _is_ours(self) -> bool:
        if self.path.is_symlink() or not self.path.is_file():
            return False
        with self.path.open(newline="", encoding=self._encoding, errors=self._errors) as file:
            try:
                if file.read(len(self._preamble)) != self._preamble:
                    return False
                rows = csv.reader(file, strict=True, delimiter=self._table.delimiter)
                header = next(rows, [])
                return bool(_REASON.fullmatch("".join(header[-1:]))) and all(map(_is_sealed, rows))
            except (csv.Error, UnicodeError):
                return False


def _is_sealed(row: list[str]) -> bool:
    seal = _SEAL.fullmatch("".join(row[-1:]))
    return seal is not None and _digest([*row[:-1], seal[1]]) == seal[2]


def _digest(cells: list[str]) -> str:
    return digest(repr(cells))[:8]
