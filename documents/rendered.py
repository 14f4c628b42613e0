"""The results of rendering a document.

The web process imports only this, because it renders nothing.
"""

from dataclasses import dataclass


class RenderingFailed(Exception):
    """The document could not be rendered; the message is for the log."""


class RenderingTimeout(RenderingFailed):
    """Typesetting took longer than the time limit and was stopped."""


class TooLong(RenderingFailed):
    """The document would be too long; the message is for its account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A rendered file: its number of pages, if any, its size in bytes, and its SHA-256 in hex."""

    pages: int | None
    size: int
    sha256: str
