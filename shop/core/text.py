"""Which characters a text may contain."""

import re

# Control characters, and lone surrogates, which stand for bytes that are not UTF-8.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str) -> bool:
    """Return whether the text has no control character and is valid Unicode."""
    return not UNPRINTABLE.search(text)
