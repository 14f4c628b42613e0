"""The numbers of definitions and answers: decimals that JavaScript and Python read alike."""

import re
from decimal import Decimal
from typing import Any

MAX_DECIMALS = 3
PLAIN = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,3})?")


class Number(Decimal):
    """A number of a definition: a JSON number or a plain string, with at most three decimals."""


def exact(value: Any) -> Decimal:
    """Return the number that a JSON number or a string such as ``-12.5`` is.

    It has at most nine digits before and three after the point. Raise ``ValueError`` for anything
    else, also for ``3e2``, ``3,5`` and `` 3 ``, which other programs may read as another number.
    """
    if isinstance(value, bool):
        raise ValueError("A number is needed here.")
    if isinstance(value, int | float):
        # The shortest decimal that gives a float back is the one that was written.
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > 20:
            raise ValueError("The number is too large or too exact.")
        value = plain(value)
    if not isinstance(value, str):
        raise ValueError("A number is needed here.")
    if not PLAIN.fullmatch(value):
        raise ValueError("Write a number as 12.5: at most 9 digits and 3 decimals.")
    return Decimal(value)


def plain(value: Decimal) -> str:
    """Return a number in plain digits, without an exponent and needless zeros: ``31``, ``-0.5``."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
