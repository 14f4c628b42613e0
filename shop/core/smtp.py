"""What the answer of a mail server means for mails that may be sent only once."""

import smtplib
from dataclasses import dataclass

REASON_MAX = 300

REFUSED = (
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPResponseException,
    smtplib.SMTPNotSupportedError,
)
"""Errors after which the server certainly has not taken the mail; after others it may have."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a mail was not taken: the server's code, if it gave one, and its words in one line.

    ``permanent`` is whether no later attempt would help (RFC 5321, 4.2.1: codes 5yz).
    """

    code: int | None
    words: str
    permanent: bool


def refusal(error: Exception) -> Refusal:
    """Return what the error of a mail that was not taken says."""
    code: int | None = None
    words: bytes | str = str(error)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, words = next(iter(error.recipients.values()), (None, b""))
    elif isinstance(error, smtplib.SMTPResponseException):
        code, words = error.smtp_code, error.smtp_error
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    permanent = isinstance(error, smtplib.SMTPNotSupportedError) or 500 <= (code or 0) <= 599
    return Refusal(code, f"{code or ''} {line}".strip()[:REASON_MAX], permanent)
