"""The words by which lines are found: runs of letters and digits, in small letters."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

WORDS_MAX = 256
WORD_MAX = 60
FIRST_WORDS = 4
"""So many words of each field are always among those of the line."""
_WORD = re.compile(r"[^\W_]+")


def split(text: str) -> list[str]:
    """Return the words of a text, in their order."""
    return [word[:WORD_MAX] for word in _WORD.findall(text.lower())]


def words_of(event: str, request_id: str, fields: Mapping[str, Any], message: str) -> Iterable[str]:
    """Return the words of a line, each once."""
    words = dict.fromkeys([*split(event), *split(request_id)])
    texts = [str(value) for value in fields.values()]
    for text in texts:
        words |= dict.fromkeys(split(text[: FIRST_WORDS * WORD_MAX * 2])[:FIRST_WORDS])
    for text in (message, *texts):
        if len(words) >= WORDS_MAX:
            break
        words |= dict.fromkeys(split(text)[:WORDS_MAX])
    return list(words)[: 2 * WORDS_MAX]
