"""The identity of a line of a file, by which a second run recognises recorded lines."""

import csv
from collections.abc import Mapping
from typing import Any

from accounts.access import Caller
from accounts.names import fold
from purchases.entries import Entry
from purchases.validation import PurchaseInput, delimited
from shop.core.errors import FieldError, ValidationFailed
from shop.core.idempotency import KEY_MAX_LENGTH
from shop.core.text import printable

KEY_COLUMNS_MAX = 5
KEY_COLUMN_MAX_LENGTH = 100


class Identity:
    """The rule that identifies lines, and the lines that it has seen in one file.

    With ``key``, names of columns, the line's values in these columns identify it among all the
    caller's lines with such keys. With ``count_equal`` the second of two equal lines is another
    purchase than the first. It is the same purchase as the second one of another run. With neither,
    equal lines are one purchase. ``equal`` counts the lines that equal an earlier one; this takes
    about 70 bytes of memory for each line.
    """

    def __init__(self, *, key: tuple[str, ...] = (), count_equal: bool = False) -> None:
        self.key = key
        self.count_equal = count_equal
        self.equal = 0
        self._met: set[int] = set()
        self._again: dict[int, int] = {}

    def entry(self, caller: Caller, purchase: PurchaseInput, data: Mapping[str, Any]) -> Entry:
        """Return the entry for a line; ``data`` holds the line's values by column.

        Raise ``ValidationFailed`` where the line has no key.
        """
        if self.key:
            return Entry(caller, purchase, _row_key(self.key, data), scope="row")
        occurrence = self._occurrence(purchase)
        return Entry(caller, purchase, occurrence=occurrence if self.count_equal else None)

    def _occurrence(self, purchase: PurchaseInput) -> int:
        """Return how many earlier lines equal this one."""
        content = hash(
            (
                purchase.userid,
                purchase.username and fold(purchase.username),
                purchase.item,
                purchase.quantity,
                purchase.price,
                purchase.currency,
                purchase.timestamp,
            )
        )
        if content not in self._met:
            self._met.add(content)
            return 0
        self.equal += 1
        self._again[content] = occurrence = self._again.get(content, 0) + 1
        return occurrence


def _row_key(columns: tuple[str, ...], data: Mapping[str, Any]) -> str:
    values = []
    for column in columns:
        value = data.get(column)
        text = str(value).strip() if isinstance(value, (str, int)) else ""
        if not text or isinstance(value, bool) or not printable(text):
            detail = "The key needs printable text or a whole number here."
            raise ValidationFailed([FieldError("invalid_key", detail, column)])
        values.append(text)
    key = delimited(*values)
    if len(key) > KEY_MAX_LENGTH:
        detail = f"A key has at most {KEY_MAX_LENGTH} characters."
        raise ValidationFailed([FieldError("invalid_key", detail, columns[0])])
    return key


def key_columns(text: str) -> tuple[str, ...]:
    """Return the columns of ``COLUMN[,COLUMN]``, which is read as a line of CSV.

    Raise ``ValidationFailed`` for an empty or repeated name, and for too many names.
    """
    names = tuple(name.strip() for name in split_names(text))
    too_long = any(len(name) > KEY_COLUMN_MAX_LENGTH for name in names)
    if too_long or not all(names) or not 0 < len(names) == len(set(names)) <= KEY_COLUMNS_MAX:
        detail = f"Name 1 to {KEY_COLUMNS_MAX} columns, each once."
        raise ValidationFailed([FieldError("invalid", detail, "key")])
    return names


def split_names(text: str) -> list[str]:
    """Return the parts between commas; quotes, doubled inside, make a comma part of a name.

    Raise ``ValidationFailed`` for misplaced quotes.
    """
    try:
        (names,) = csv.reader([text], strict=True, skipinitialspace=True)
    except (csv.Error, ValueError):
        detail = "Give names with commas between them; quote a name that holds a comma."
        raise ValidationFailed([FieldError("invalid", detail)]) from None
    return names
