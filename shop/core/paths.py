"""Paths and their spellings, which everything that takes requests agrees on."""

from collections.abc import Iterable

CLASSIC_PREFIX = "/scalable-shop-cm-server"
"""The original service had its routes below this, and below ``/``."""


def other_spelling(path: str) -> str:
    """Return the path without its trailing slash, or with one if it has none."""
    return path.removesuffix("/") if path.endswith("/") else f"{path}/"


def spellings(paths: Iterable[str]) -> dict[str, str]:
    """Return the path as it is written here for both of its spellings."""
    return {spelling: path for path in paths for spelling in (path, other_spelling(path))}
