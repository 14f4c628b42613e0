"""Text from the HTML that other programs keep their questions in.

It is read from left to right once. Python's own parser takes the square of the length of tags that
never end.
"""

import html as entities
import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

from quizzes.authoring.imports.building import Unusable

MAX_HTML = 20_000
_BREAKS = frozenset({"p", "br", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "pre"})
_SILENT = frozenset({"script", "style", "title", "template"})
_TAG = re.compile(r"(/?)([a-zA-Z][a-zA-Z0-9]*)")
_ALT = re.compile(r"""\salt\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
# No character has such a number, and Python refuses to read thousands of digits.
_NO_CHARACTER = re.compile(r"&#[xX]?[0-9a-fA-F]{8,};?")


def text_of(html: str) -> str:
    """Return what a reader of the HTML sees, with line feeds between its blocks.

    A picture is its alternative text. Raise ``Unusable`` if it is too long.
    """
    if "<" not in html and "&" not in html:
        return html
    if len(html) > MAX_HTML:
        raise Unusable("too_long", _("A text has more than %(n)s characters.") % {"n": MAX_HTML})
    return "".join(_parts(html))


def _parts(html: str) -> Iterator[str]:
    silent = 0
    for text, tag in _pieces(html):
        if not silent:
            yield _unescaped(text)
        match = _TAG.match(tag)
        if match is None:
            continue
        name = match[2].lower()
        if name in _BREAKS:
            yield "\n"
        if name in _SILENT:
            silent = max(0, silent + (-1 if match[1] else 1))
        if name == "img" and (alt := _ALT.search(tag)):
            yield _unescaped(alt[1] or alt[2] or alt[3] or "")


def _pieces(html: str) -> Iterator[tuple[str, str]]:
    """Yield each text with the inside of the tag or comment after it."""
    place, begin = 0, html.find("<")
    while begin >= 0:
        if html.startswith("<!--", begin):
            end, length = html.find("-->", begin + 4), 3
        elif html[begin + 1 : begin + 2].isalpha() or html[begin + 1 : begin + 2] in (
            "/",
            "!",
            "?",
        ):
            end, length = html.find(">", begin), 1
        else:
            begin = html.find("<", begin + 1)
            continue
        if end < 0:
            # A tag that never ends hides what follows it.
            yield html[place:begin], ""
            return
        yield html[place:begin], html[begin + 1 : end]
        place = end + length
        begin = html.find("<", place)
    yield html[place:], ""


def _unescaped(text: str) -> str:
    return entities.unescape(_NO_CHARACTER.sub("\ufffd", text))
