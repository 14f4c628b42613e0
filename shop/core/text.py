"""What a text may hold, wherever it comes from."""

import re

# Control characters, and the halves of surrogate pairs, which stand for bytes that are not UTF-8.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str) -> bool:
    """Return whether the text holds no control character and is Unicode throughout."""
    return not UNPRINTABLE.search(text)
