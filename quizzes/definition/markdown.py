"""The Markdown of texts, as one tree that page, mail and PDF are made of.

Paragraphs, headings of level 2 and 3, lists, strong, emphasis, and links to https. Whatever else
is written stays as it is written: nothing becomes HTML.

Blocks: ``{"type": "paragraph", "children": [inline …]}``, ``{"type": "heading", "level": 2, …}``,
``{"type": "list", "ordered": false, "items": [[inline …] …]}``. Inlines: ``{"type": "text",
"text": …}``, ``{"type": "break"}``, ``{"type": "strong" | "em", "children": …}``, ``{"type":
"link", "href": …, "children": …}``.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

_RULES = ["heading", "list", "newline", "escape", "emphasis", "link"]
_WRAPS = {"strong_open": "strong", "em_open": "em", "link_open": "link"}

Fill = Callable[[str], str]


def blocks(text: str, fill: Fill | None = None) -> list[dict[str, Any]]:
    """Return the blocks of a text.

    ``fill`` replaces the placeholders in what is left as plain text, so what it puts in is never
    read as Markdown.
    """
    return list(_blocks(iter(_tokens(text)), fill or str))


@lru_cache(maxsize=1024)
def _tokens(text: str) -> Sequence[Token]:
    return _markdown.parse(text)


def _reader() -> MarkdownIt:
    reader = MarkdownIt("zero", {"html": False, "maxNesting": 20}).enable(_RULES)
    reader.validateLink = lambda url: url.startswith("https://")  # type: ignore[method-assign]
    return reader


_markdown = _reader()


def _blocks(tokens: Iterator[Token], fill: Fill) -> Iterator[dict[str, Any]]:
    for token in tokens:
        if token.type == "paragraph_open":
            yield {"type": "paragraph", "children": _inlines(next(tokens), fill)}
        elif token.type == "heading_open":
            level = 2 if token.tag in ("h1", "h2") else 3
            yield {"type": "heading", "level": level, "children": _inlines(next(tokens), fill)}
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            ordered = token.type.startswith("ordered")
            items = list(_items(tokens, token.level, fill))
            yield {"type": "list", "ordered": ordered, "items": items}


def _items(tokens: Iterator[Token], level: int, fill: Fill) -> Iterator[list[dict[str, Any]]]:
    """Yield the items of a list; those of a list inside it follow as its own."""
    for token in tokens:
        if token.type == "inline":
            yield _inlines(token, fill)
        elif token.level == level and token.type.endswith("_list_close"):
            return


def _inlines(token: Token, fill: Fill) -> list[dict[str, Any]]:
    return _children(iter(token.children or ()), fill)


def _children(tokens: Iterator[Token], fill: Fill) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for token in tokens:
        if token.nesting < 0:
            break
        if token.type in _WRAPS:
            inline: dict[str, Any] = {"type": _WRAPS[token.type]}
            if token.type == "link_open":
                inline["href"] = str(token.attrs["href"])
            found.append({**inline, "children": _children(tokens, fill)})
        elif token.type in ("softbreak", "hardbreak"):
            found.append({"type": "break"} if token.type == "hardbreak" else _text(" "))
        elif token.content:
            found.append(_text(fill(token.content)))
    return found


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def plain_text(tree: list[dict[str, Any]]) -> str:
    """Return the words of blocks, a paragraph or item a line: for mails and for search."""
    lines: list[str] = []
    for block in tree:
        if block["type"] == "list":
            for n, item in enumerate(block["items"], 1):
                mark = f"{n}." if block["ordered"] else "-"
                lines.append(f"{mark} {_words(item)}")
        else:
            lines.append(_words(block["children"]))
    return "\n".join(lines)


def _words(inlines: list[dict[str, Any]]) -> str:
    parts = []
    for inline in inlines:
        if inline["type"] == "text":
            parts.append(inline["text"])
        elif inline["type"] == "break":
            parts.append(" ")
        else:
            words = _words(inline["children"])
            href = inline.get("href")
            parts.append(f"{words} ({href})" if href and href != words else words)
    return "".join(parts)
