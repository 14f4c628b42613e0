"""What comes of rendering a document.

The web process, which renders nothing, needs no more than this.
"""

from dataclasses import dataclass


class RenderingFailed(Exception):
    """The document could not be rendered; the message, meant for the log, says why."""


class RenderingTimeout(RenderingFailed):
    """Typesetting took longer than the time limit and was stopped."""


class TooLong(RenderingFailed):
    """It would be longer than is rendered; the message is for whoever asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The file that was written: its pages, if it has any, its bytes, and its SHA-256 in hex."""

    pages: int | None
    size: int
    sha256: str
