"""Text from the HTML that other programs keep their questions in."""

from html.parser import HTMLParser

from django.utils.translation import gettext as _

from quizzes.authoring.imports.building import Unusable

MAX_HTML = 20_000
_BREAKS = frozenset({"p", "br", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "pre"})
_SILENT = frozenset({"script", "style", "title", "template"})


def text_of(html: str) -> str:
    """Return what a reader of the HTML sees, with line feeds between its blocks.

    A picture is its alternative text. Raise ``Unusable`` if it is too long.
    """
    if "<" not in html and "&" not in html:
        return html
    if len(html) > MAX_HTML:
        raise Unusable("too_long", _("A text has more than %(n)s characters.") % {"n": MAX_HTML})
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return "".join(reader.parts)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BREAKS:
            self.parts.append("\n")
        if tag in _SILENT:
            self.silent += 1
        if tag == "img":
            self.parts.append(next((value or "" for name, value in attrs if name == "alt"), ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in _BREAKS:
            self.parts.append("\n")
        if tag in _SILENT:
            self.silent = max(0, self.silent - 1)

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.parts.append(data)
