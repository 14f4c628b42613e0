"""Which invoice a credit is for: by its creditor reference, else by number and exact amount."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from billing.invoices.models import Document, Kind
from billing.invoices.series import PREFIXES
from billing.payments.bank_statements.lines import BankLine
from billing.payments.bank_statements.models import BankCredit
from billing.payments.entries import sums_of
from billing.reference import reference_of

_OTHER = re.compile("[^A-Z0-9]")
_INVOICE = PREFIXES[Kind.INVOICE]
_REFERENCE = re.compile(rf"(?=(RF[0-9]{{2}}{_INVOICE}[0-9]{{4}}[R0-9]{{6,13}}))", re.ASCII)
_NUMBER = re.compile(
    rf"\b{_INVOICE}[\s/_-]*([0-9]{{4}})[\s/_-]*(?:R([0-9]{{1,4}})[\s/_-]*)?([0-9]{{6,9}})\b",
    re.ASCII,
)
NAMED_MAX = 20
"""How many numbers of one text are looked up."""
Why = BankCredit.Why


class Match(NamedTuple):
    """The invoice that a credit is for, or why there is none."""

    invoice: Document | None
    why: str = ""


def find_invoice(line: BankLine) -> Match:
    """Return the invoice of a credit.

    A reference alone is enough, whatever the amount: its check digits are right, and only this
    invoice has it. A number needs the amount that is due, to the cent, because people mistype.
    """
    said = f"{line.reference} {line.text}".upper()
    labels = [*dict.fromkeys(_labels_of(said))][:NAMED_MAX]
    if invoices := _invoices(labels):
        if len(invoices) > 1:
            return Match(None, Why.SEVERAL)
        return _in_currency(invoices[0], line)
    numbers = [*dict.fromkeys(_numbers_in(said))][:NAMED_MAX]
    invoices = _invoices(numbers)
    if not invoices:
        return Match(None, Why.UNKNOWN if labels or numbers else Why.NO_REFERENCE)
    fits = [each for each in invoices if sums_of(each.balance).due == line.amount]
    if len(fits) > 1:
        return Match(None, Why.SEVERAL)
    return _in_currency(fits[0], line) if fits else Match(None, Why.AMOUNT)


def _in_currency(invoice: Document, line: BankLine) -> Match:
    return Match(invoice) if invoice.currency == line.currency else Match(None, Why.CURRENCY)


def _invoices(labels: list[str]) -> list[Document]:
    if not labels:
        return []
    found = Document.objects.filter(label__in=labels, kind=Kind.INVOICE)
    return [*found.select_related("balance").defer("canonical")]


def _labels_of(said: str) -> Iterator[str]:
    """Yield the numbers whose creditor references are in a text, however it is spaced."""
    compact = _OTHER.sub("", said)
    for match in _REFERENCE.finditer(compact):
        # More digits may follow, so each length is tried; the check digits tell which is right.
        for end in range(4 + len(_INVOICE) + 4 + 6, len(match[1]) + 1):
            reference = match[1][:end]
            for label in _split(reference[4:]):
                if reference_of(label) == reference:
                    yield label


def _split(own: str) -> Iterator[str]:
    """Yield the numbers that a reference's own part may stand for, as ``INV2026R1000123``."""
    year, rest = own[len(_INVOICE) : len(_INVOICE) + 4], own[len(_INVOICE) + 4 :]
    if rest.isdigit():
        yield f"{_INVOICE}-{year}-{rest}"
    elif rest.startswith("R") and rest[1:].isdigit():
        # A place in a series has six digits at least.
        for at in range(2, len(rest) - 5):
            yield f"{_INVOICE}-{year}-{rest[:at]}-{rest[at:]}"


def _numbers_in(said: str) -> Iterator[str]:
    for year, generation, number in _NUMBER.findall(said):
        series = f"{_INVOICE}-{year}-R{generation}" if generation else f"{_INVOICE}-{year}"
        yield f"{series}-{number}"
