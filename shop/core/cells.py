"""Cells of CSV files that no spreadsheet reads as a formula, and the way back.

A spreadsheet runs a cell that begins like a formula. Its cells may begin elsewhere than those of
the file: its user's language may have a separator that is part of a text here.
"""

import re

# Some spreadsheets treat the wide forms alike, and skip blanks, invisible characters and quotes
# before them.
_SKIPPED = "[ \u00a0\u00ad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff'\"]"
_BEGINS = f"{_SKIPPED}*[-=+@\t\r\n\uff1d\uff0b\uff0d\uff20]"
# PostgreSQL reads these two patterns as Python does, see `purchases.formats`.
FORMULA = f"(?:^|(?<=[,;|\t\r\n]))(?={_BEGINS})"
GUARDED = f"(?:^|(?<=[,;|\t\r\n]))'(?={_BEGINS})"

_FORMULA = re.compile(FORMULA)
_GUARDED = re.compile(GUARDED)


def guard(text: str) -> str:
    """Return the cell for ``text``, with an apostrophe wherever a formula could begin.

    A text that already has an apostrophe there gets one more, so that ``unguard`` returns every
    text unchanged.
    """
    return _FORMULA.sub("'", text)


def unguard(cell: str) -> str:
    """Return the text of a cell that ``guard``, or an export for spreadsheets, has written."""
    if len(cell) > 2 and cell.startswith('="') and cell.endswith('"'):
        cell = cell[2:-1].replace('""', '"')
    # Most cells have no apostrophe, and this test costs a tenth of the pattern's search.
    return _GUARDED.sub("", cell) if "'" in cell else cell
