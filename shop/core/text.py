"""Which characters a text may contain."""

import re
import unicodedata

# NUL as JSON escapes it.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
# Control characters, and lone surrogates, which stand for bytes that are not UTF-8.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


MARKS_MAX = 30
"""No writing puts more marks on a letter. Source: UAX #15, "Stream-Safe Text Format"."""


def composed(text: str) -> str:
    """Return the text in the normal form NFC.

    Raise ``ValueError`` where more than ``MARKS_MAX`` combining marks follow each other, because
    sorting them takes the square of their number.
    """
    if text.isascii():
        return text
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks > MARKS_MAX:
            raise ValueError(f"More than {MARKS_MAX} marks are on one letter.")
    return unicodedata.normalize("NFC", text)


def printable(text: str) -> bool:
    """Return whether the text has no control character and is valid Unicode."""
    return not UNPRINTABLE.search(text)


def holds_nul(encoded: bytes) -> bool:
    """Return whether JSON holds NUL, the one character that PostgreSQL does not store."""
    return _NUL.search(encoded) is not None
