"""The file of the lines that an import did not take, with the reason for each."""

import csv
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

from purchases.cells import guard
from purchases.tables import Table
from purchases.validation import digest
from shop.errors import ApplicationError

# The columns that are added. The second shows that a row is as the import wrote it: only a file
# all of whose rows are, so that nobody has worked on it, is replaced or removed.
ADDED = ["reason", "row check"]


class Rejected:
    """The rejected lines of one run; the file is made when there is a first one.

    It is written as the imported file is, with the lines before the header, so that the same
    command takes it once it is mended. Where a file that is not ours has the name
    ``FILE.EXT.rejected.csv``, the next free one is taken, ``FILE.EXT.rejected-2.csv``.
    """

    def __init__(self, stack: ExitStack, source: Path, table: Table, encoding: str) -> None:
        self._stack, self._table, self._encoding = stack, table, encoding
        self._errors = "surrogateescape" if encoding == "utf-8" else "replace"
        # A rejected file that is imported in its turn has the columns already.
        self._added = table.header[-2:] == ADDED
        self._writer: Any = None
        self.path = source
        for number in count(1):
            suffix = "" if number == 1 else f"-{number}"
            self.path = source.with_name(f"{source.name}.rejected{suffix}.csv")
            if not self._exists() or self._is_ours():
                break

    def write(self, row: list[str], error: ApplicationError) -> None:
        """Add a line with its reason."""
        width = len(self._table.header) - 2 * self._added
        cells = [*row[:width], *[""] * (width - len(row))]
        reasons = (
            f"{item.attr}: {item.detail}" if item.attr else item.detail for item in error.errors
        )
        cells.append(guard("; ".join(reasons)))
        cells = [self._written(cell) for cell in cells]
        if self._writer is None:
            self._writer = self._open()
        self._writer.writerow([*cells, _check(cells)])

    def remove(self) -> None:
        """Remove the file of an earlier run: what was rejected then has been mended since."""
        if self._exists():
            self.path.unlink()

    def _open(self) -> Any:
        file = self._stack.enter_context(
            self.path.open("w", newline="", encoding=self._encoding, errors=self._errors)
        )
        file.write(self._table.preamble.decode("utf-8", "surrogateescape"))
        writer = csv.writer(file, delimiter=self._table.delimiter)
        header = self._table.header
        writer.writerow(header if self._added else [*header, *ADDED])
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
                rows = csv.reader(file, strict=True, delimiter=self._table.delimiter)
                if not any(row[-2:] == ADDED for row in rows):
                    return False
                return all(_check(row[:-1]) == row[-1] for row in rows)
            except (csv.Error, UnicodeError, IndexError):
                return False


def _check(cells: Sequence[str]) -> str:
    return digest(repr(list(cells)))[:8]
