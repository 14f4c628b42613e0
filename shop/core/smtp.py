"""Mails that may be sent only once: the one attempt, and what a mail server's answer means.

The connection is made before the mail is claimed, so that a server that is away leaves the job
unchanged. After the claim only an answer that certainly means "not accepted" allows another
attempt.
"""

import contextlib
import enum
import smtplib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.mail import EmailMessage, get_connection

REASON_MAX = 300
TOO_LARGE = 552
"""SMTP's code for a mail over the server's or the mailbox's size (RFC 5321, RFC 1870)."""

_REFUSED = (
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPResponseException,
    smtplib.SMTPNotSupportedError,
)
"""Errors after which the server certainly has not taken the mail; after others it may have."""


class Outcome(enum.Enum):
    """The outcome of a mail. After ``UNKNOWN`` it must not be sent again."""

    SENT = "sent"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    NOT_CLAIMED = "not claimed"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a mail was not taken: the server's code, if it gave one, and its text in one line.

    ``permanent`` is whether no later attempt would help (RFC 5321, 4.2.1: codes 5yz).
    """

    code: int | None
    words: str
    permanent: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to send a mail: its outcome, and the error that ended it, if any."""

    outcome: Outcome
    error: Exception | None = None

    @property
    def refusal(self) -> Refusal:
        """Return the text of the error."""
        return refusal(self.error or Exception())


def send_once(
    message: EmailMessage, *, claim: Callable[[], bool], smaller: EmailMessage | None = None
) -> Delivery:
    """Try to send a mail that ``claim`` claims. Return the outcome.

    ``claim`` is called once the server is reached, and returns whether the mail must still be sent.
    ``smaller`` is sent instead if the message exceeds the server's size.
    """
    mailer = get_connection(fail_silently=False)
    try:
        mailer.open()
    except (OSError, smtplib.SMTPException) as error:
        return Delivery(Outcome.UNREACHABLE, error)
    try:
        if smaller is not None and len(message.message().as_bytes()) > _size_limit(mailer):
            message, smaller = smaller, None
        if not claim():
            return Delivery(Outcome.NOT_CLAIMED)
        return _send(mailer, message, smaller)
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            mailer.close()


def _send(mailer: Any, message: EmailMessage, smaller: EmailMessage | None) -> Delivery:
    data_begun = _watch_data(getattr(mailer, "connection", None))
    try:
        mailer.send_messages([message])
    except _REFUSED as error:
        if smaller is not None and refusal(error).code == TOO_LARGE:
            # The server certainly has not taken it, so the smaller mail is the first one.
            return _send(mailer, smaller, None)
        return Delivery(Outcome.REFUSED, error)
    except Exception as error:
        # After a lost connection, a timeout or the task's time limit the server may have the mail,
        # if it was asked to take one.
        return Delivery(Outcome.UNKNOWN if data_begun() else Outcome.REFUSED, error)
    return Delivery(Outcome.SENT)


def _watch_data(connection: smtplib.SMTP | None) -> Callable[[], bool]:
    """Return a callable that tells whether the mail itself was begun; yes if nobody can know."""
    if connection is None:
        return lambda: True
    begun: list[bool] = []
    command = connection.data

    def data(message: Any) -> Any:
        begun.append(True)
        return command(message)

    connection.data = data  # type: ignore[method-assign,assignment]
    return lambda: bool(begun)


def _size_limit(mailer: Any) -> float:
    """Return the size that the server accepts (RFC 1870); infinite if it names none."""
    features = getattr(getattr(mailer, "connection", None), "esmtp_features", {})
    size = features.get("size", "")
    return float(size) if size.isdigit() and int(size) else float("inf")


def refusal(error: Exception) -> Refusal:
    """Return why a mail was not taken, from the error."""
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
