"""Cells of CSV files that no spreadsheet takes for a formula, and the way back."""

import re

# A spreadsheet runs a cell that begins with one of these; the wide forms are the same to some.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def guard(text: str) -> str:
    """Return the cell for ``text``: with an apostrophe in front where it looks like a formula.

    What already has apostrophes before such a character gets one more, so that
    :func:`unguard` gives every text back as it was.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguard(cell: str) -> str:
    """Return the text of a cell that :func:`guard` has written."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
