"""Paths and their spellings, on which all code that takes requests agrees."""

from collections.abc import Iterable

CLASSIC_PREFIX = "/scalable-shop-cm-server"
"""The original service had its routes below this prefix, and below ``/``."""


def other_spelling(path: str) -> str:
    """Return the path without its trailing slash, or with one if it has none."""
    return path.removesuffix("/") if path.endswith("/") else f"{path}/"


def spellings(paths: Iterable[str]) -> dict[str, str]:
    """Return for both spellings of each path the path as it is written here."""
    return {spelling: path for path in paths for spelling in (path, other_spelling(path))}
