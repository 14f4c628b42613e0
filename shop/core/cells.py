"""Cells of CSV files that no spreadsheet takes for a formula, and the way back.

A spreadsheet runs a cell that begins like a formula. It may begin a cell elsewhere than the file
does: at a separator inside a text, where its user's language has another one than the file.
"""

import re

# The wide forms are the same to some. Blanks, what shows as nothing, and quotes before it are
# skipped by some.
_SKIPPED = "[ \u00a0\u00ad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff'\"]"
_BEGINS = f"{_SKIPPED}*[-=+@\t\r\n\uff1d\uff0b\uff0d\uff20]"
# PostgreSQL takes these two for the same as Python does, see `purchases.formats`.
FORMULA = f"(?:^|(?<=[,;|\t\r\n]))(?={_BEGINS})"
GUARDED = f"(?:^|(?<=[,;|\t\r\n]))'(?={_BEGINS})"

_FORMULA = re.compile(FORMULA)
_GUARDED = re.compile(GUARDED)


def guard(text: str) -> str:
    """Return the cell for ``text``: with an apostrophe wherever a formula could begin.

    What already has an apostrophe there gets one more, so that :func:`unguard` gives every text
    back as it was.
    """
    return _FORMULA.sub("'", text)


def unguard(cell: str) -> str:
    """Return the text of a cell that :func:`guard` or an export for spreadsheets has written."""
    if len(cell) > 2 and cell.startswith('="') and cell.endswith('"'):
        cell = cell[2:-1].replace('""', '"')
    # Most cells have no apostrophe, and looking for one costs a tenth of the pattern's search.
    return _GUARDED.sub("", cell) if "'" in cell else cell
