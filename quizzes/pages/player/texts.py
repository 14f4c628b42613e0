"""Texts of a definition for a page: Markdown as a tree for the scripts, and as HTML."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from quizzes.definition.markdown import blocks
from quizzes.definition.public import public_part
from quizzes.definition.structs import Quiz


def definition_of(quiz: Quiz) -> dict[str, Any]:
    """Return the public part of a definition, in which the texts with Markdown are blocks."""
    told = public_part(quiz)
    for part in (told, *told["questions"], told["contact"]):
        for name in ("intro", "text"):
            if name in part:
                part[name] = {each: blocks(text) for each, text in part[name].items()}
    return told


def pick(texts: Mapping[str, Any], language: str, languages: Sequence[str]) -> Any:
    """Return what a map of languages has for a reader; ``""`` if it is empty."""
    return next((texts[each] for each in (language, *languages) if each in texts), "")


def html_of(tree: Sequence[Mapping[str, Any]]) -> SafeString:
    """Return the HTML of blocks. Nothing in them is taken for HTML."""
    return format_html_join("", "{}", ((_block(block),) for block in tree))


def _block(block: Mapping[str, Any]) -> SafeString:
    match block["type"]:
        case "heading":
            return format_html("<h{0}>{1}</h{0}>", block["level"], _inlines(block["children"]))
        case "list":
            name = "ol" if block["ordered"] else "ul"
            items = format_html_join(
                "", "<li>{}</li>", ((_inlines(item),) for item in block["items"])
            )
            return format_html("<{0}>{1}</{0}>", name, items)
    return format_html("<p>{}</p>", _inlines(block["children"]))


def _inlines(nodes: Sequence[Mapping[str, Any]]) -> SafeString:
    return format_html_join("", "{}", ((_inline(node),) for node in nodes))


def _inline(node: Mapping[str, Any]) -> SafeString | str:
    match node["type"]:
        case "text":
            return str(node["text"])
        case "break":
            return format_html("<br>")
        case "strong" | "em":
            return format_html("<{0}>{1}</{0}>", node["type"], _inlines(node["children"]))
    return format_html(
        '<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>',
        node["href"],
        _inlines(node["children"]),
    )
