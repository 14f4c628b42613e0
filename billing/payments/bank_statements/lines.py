"""What a bank's statement says: its lines, whatever the format of the file."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext_noop

from shop.core.errors import ApplicationError
from shop.core.site_settings.general import site_today

LINES_MAX = 100_000
"""Lines of one file."""
ACCOUNT_MAX_LENGTH = 34
REFERENCE_MAX_LENGTH = 140
TEXT_MAX_LENGTH = 500
PAYER_MAX_LENGTH = 140
_AMOUNT = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,5})?", re.ASCII)
_CURRENCY = re.compile("[A-Z]{3}", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
# What a bank writes where it has no reference.
_NO_REFERENCE = frozenset({"", "NONREF", "NOTPROVIDED", "NOT PROVIDED"})


class NotReadable(ApplicationError):
    """The file is no bank statement, or not one that can be believed."""

    status = 400
    code = "statement_not_readable"
    detail = gettext_noop("This is not a bank statement that can be read. Nothing was booked.")


class WrongSums(ApplicationError):
    """The sums of the file do not agree, so a part of it is missing or was changed."""

    status = 400
    code = "wrong_sums"
    detail = gettext_noop("The sums of this statement do not add up. Nothing was booked.")


class TooManyLines(ApplicationError):
    """The file has more lines than one import takes."""

    status = 413
    code = "too_many_lines"
    detail = gettext_noop("This statement is too long. Split it, or import it by the command.")


class Direction(StrEnum):
    """Whether money came, went, or something else was written, which is not counted."""

    CREDIT = "credit"
    DEBIT = "debit"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankLine:
    """One movement on a bank account.

    ``bank_reference`` is the bank's own name of it, empty where it gives none. ``reference`` is
    what the payer gave as a creditor's reference, ``text`` all that the payer wrote. ``ordinal``
    counts the lines of a statement that are equal in everything else and have no bank reference.
    """

    direction: Direction
    account: str
    booked_on: date
    amount: Decimal
    currency: str
    bank_reference: str = ""
    reference: str = ""
    text: str = ""
    payer: str = ""
    ordinal: int = 0

    def identity(self) -> str:
        """Return the digest by which a line is known again, in whichever file it comes."""
        facts: list[Any] = [self.account, self.booked_on, self.amount, self.currency]
        if self.bank_reference:
            facts.append(self.bank_reference)
        else:
            facts += ["", self.reference, self.text, self.payer, self.ordinal]
        return hashlib.sha256("\x1f".join(map(str, facts)).encode()).hexdigest()


class Ordinals:
    """Counts equal lines of one statement, because some banks give no references."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Any, ...], int] = {}

    def next(self, *facts: Any) -> int:
        """Return how many such lines there were before."""
        count = self._seen.get(facts, 0)
        self._seen[facts] = count + 1
        return count


def amount_of(text: str) -> Decimal:
    """Return an amount in whole cents. Raise ``NotReadable``; zero is an amount."""
    text = text.strip()
    if not _AMOUNT.fullmatch(text):
        raise NotReadable(f"{text[:40]!r} is not an amount.")
    amount = Decimal(text)
    if amount != round(amount, 2):
        raise NotReadable(f"{text} has more than two decimals.")
    return round(amount, 2)


def day_of(text: str) -> date:
    """Return a day of the form ``2026-05-31``; what follows it, a time, is left out.

    Raise ``NotReadable`` for anything else, and for days to come.
    """
    text = text.strip()[:10]
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        raise NotReadable(f"{text!r} is not a day such as 2026-05-31.") from None
    # The bank may be east of the site.
    if day > site_today() + timedelta(days=1):
        raise NotReadable(f"{text} is to come.")
    return day


def currency_of(text: str) -> str:
    """Return a currency. Raise ``NotReadable``."""
    text = text.strip()
    if not _CURRENCY.fullmatch(text):
        raise NotReadable(f"{text[:10]!r} is not a currency such as EUR.")
    return text


def words(text: str | None, most: int) -> str:
    """Return a text in one line, without what nobody can print, and cut."""
    shown = "".join(each if each.isprintable() else " " for each in text or "")
    return " ".join(shown.split())[:most]


def bank_reference_of(text: str | None) -> str:
    """Return a bank's reference, or ``""`` for its ways to say that there is none."""
    reference = words(text, REFERENCE_MAX_LENGTH)
    return "" if reference.upper() in _NO_REFERENCE else reference


def bounded(lines: Iterator[BankLine], most: int) -> list[BankLine]:
    """Return all lines. Raise ``TooManyLines`` once there are more than that."""
    found: list[BankLine] = []
    for line in lines:
        if len(found) >= most:
            raise TooManyLines()
        found.append(line)
    return found
