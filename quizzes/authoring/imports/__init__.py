"""Quizzes from files of other programs: what can be taken over, and what is left out and why."""

from collections.abc import Callable

from quizzes.authoring.imports import aiken, csv_table, gift, own, surveyjs
from quizzes.authoring.imports.building import Imported
from quizzes.definition.problems import Invalid, Problem
from quizzes.definition.structs import MAX_BYTES

FORMATS: dict[str, Callable[[bytes, str], Imported]] = {
    "quiz": own.read,
    "gift": gift.read,
    "aiken": aiken.read,
    "csv": csv_table.read,
    "surveyjs": surveyjs.read,
}
"""What reads a file of each format: ``(data, language) -> Imported``."""


def definition_import(format: str, data: bytes, language: str = "en") -> Imported:
    """Return the definition that a file of ``FORMATS`` comes to, and what was left out.

    ``language`` is that of its texts, where the file does not say so itself. Raise ``Invalid`` if
    the file is too large or is none of the format.
    """
    if len(data) > MAX_BYTES:
        detail = f"A file has at most {MAX_BYTES // 1024} KiB."
        raise Invalid([Problem("too_large", detail)])
    return FORMATS[format](data, language)
