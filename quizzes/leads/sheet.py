"""The texts of a result's PDF, as its template reads them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.utils import translation
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from quizzes.answering.definitions import Definition
from quizzes.answering.models import Result
from quizzes.answering.representation import result_represent
from quizzes.companies.brand import brand_of
from quizzes.companies.models import Company
from quizzes.definition.numbers import plain
from quizzes.definition.texts import direction, language_of, text_in
from shop.core.languages import site_language
from shop.core.site_settings.logo import file_of

Tree = list[dict[str, Any]]


def sheet_of(
    version: Definition, company: Company, result: Result, *, name: str = "", coupon: str = ""
) -> dict[str, Any]:
    """Return the data of a result's PDF, in the language of its attempt.

    ``name`` is that of a confirmed lead. Raise ``Unsealable`` where the key of the respondent's
    texts is not here.
    """
    quiz = version.quiz
    language = language_of(result.language, quiz.languages)
    told = result_represent(quiz, version.slug, version.number, result, name=name)
    brand = brand_of(company)
    with translation.override(site_language(language)):
        links = [(_("Imprint"), brand.imprint_url), (_("Privacy"), brand.privacy_url)]
        title = text_in(quiz.title, language, quiz.languages)
        levels = _Levels()
        return {
            "lang": language.split("-")[0],
            "dir": direction(language),
            "title": title,
            "company": company.name,
            "logo": list(file_of(brand.logo)) if brand.logo else None,
            "color": brand.color,
            "accent": brand.accent,
            "about": _("Answered on %(day)s")
            % {"day": date_format(result.finished_at, "DATE_FORMAT")},
            "headline": {
                "title": told["headline"]["title"] or title,
                "text": levels.tree(told["headline"]["text"]),
            },
            "figures": _figures(told),
            "blocks": levels.tree(told["blocks"]),
            "categories": _categories(version, told, language),
            "coupon": {"label": _("Your coupon"), "code": coupon} if coupon else None,
            "answers": _answers(told),
            "links": [(label, url) for label, url in links if url],
        }


def _number(value: str) -> str:
    return str(number_format(plain(Decimal(value))))


def _figures(told: dict[str, Any]) -> list[tuple[str, str]]:
    if told["percent"] is None:
        return []
    reached = _("%(points)s of %(max)s") % {
        "points": _number(told["points"]),
        "max": _number(told["max"]),
    }
    return [(_("Points"), reached), (_("Percent"), f"{_number(told['percent'])} %")]


def _categories(version: Definition, told: dict[str, Any], language: str) -> dict[str, Any]:
    scored = {one["key"]: one for one in told["categories"]}
    rows = []
    for category in version.quiz.categories:
        found = scored.get(category.key, {})
        percent = found.get("percent")
        bands = {band.key: band.title for band in category.bands}
        rows.append(
            {
                "title": text_in(category.title, language, version.quiz.languages),
                "share": None if percent is None else min(100.0, max(0.0, float(percent))),
                "percent": "–" if percent is None else f"{_number(percent)} %",
                "band": text_in(
                    bands.get(found.get("band") or "", {}), language, version.quiz.languages
                ),
            }
        )
    has_levels = any(row["band"] for row in rows)
    return {
        "title": _("Categories"),
        "head": [_("Category"), "", _("Percent"), _("Level") if has_levels else ""],
        "rows": rows,
    }


def _answers(told: dict[str, Any]) -> dict[str, Any]:
    marked = any(one["correct"] is not None for one in told["answers"])
    marks = {True: _("right"), False: _("wrong"), None: ""}
    rows = []
    for one in told["answers"]:
        row = [one["title"], one["answer"] or "–"]
        rows.append([*row, marks[one["correct"]]] if marked else row)
    head = [_("Question"), _("Your answer"), *([_("Right or wrong")] if marked else [])]
    return {"title": _("Your answers"), "head": head, "marked": marked, "rows": rows}


class _Levels:
    """The trees of one document, whose headings never skip a level below the first.

    Screen readers, and PDF/UA with them, take the levels for the outline.
    """

    def __init__(self) -> None:
        self._last = 1

    def tree(self, blocks: Sequence[dict[str, Any]]) -> Tree:
        """Return the blocks with levels and spaces as the template needs them."""
        found: Tree = []
        for block in blocks:
            if block["type"] == "list":
                found.append({**block, "items": [_spaced(item) for item in block["items"]]})
                continue
            block = {**block, "children": _spaced(block["children"])}
            if block["type"] == "heading":
                self._last = block["level"] = min(block["level"], self._last + 1)
            found.append(block)
        return found


def _spaced(inlines: Sequence[dict[str, Any]]) -> Tree:
    """Return inlines whose outer spaces are inlines of their own, because texts are trimmed."""
    found: Tree = []
    for inline in inlines:
        if "children" in inline:
            found.append({**inline, "children": _spaced(inline["children"])})
            continue
        text = inline.get("text", "")
        if inline["type"] != "text":
            found.append(inline)
            continue
        if text[:1].isspace():
            found.append({"type": "space"})
        if text.strip():
            found.append({"type": "text", "text": text.strip()})
            if text[-1:].isspace():
                found.append({"type": "space"})
    return found
