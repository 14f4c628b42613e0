"""Paths and their spellings, on which all code that takes requests agrees."""

import re
from collections.abc import Iterable

CLASSIC_PREFIX = "/scalable-shop-cm-server"
"""The original service had its routes below this prefix, and below ``/``."""


def other_spelling(path: str) -> str:
    """Return the path without its trailing slash, or with one if it has none."""
    return path.removesuffix("/") if path.endswith("/") else f"{path}/"


def spellings(paths: Iterable[str]) -> dict[str, str]:
    """Return for both spellings of each path the path as it is written here."""
    return {spelling: path for path in paths for spelling in (path, other_spelling(path))}


# An id as we write it. Every route takes any of them, so one stands for all.
_ID = re.compile(r"(?<=/)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=/|$)")
_SOME_ID = "00000000-0000-7000-8000-000000000000"


def any_id(path: str) -> str:
    """Return the path with one id in place of all, so that few paths stand for all routes."""
    return _ID.sub(_SOME_ID, path)
