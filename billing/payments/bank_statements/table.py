"""Bank statements as CSV, for banks without camt.053: one line for each movement."""

import csv
import io
from collections.abc import Iterator
from typing import IO

from billing.payments.bank_statements.lines import (
    ACCOUNT_MAX_LENGTH,
    PAYER_MAX_LENGTH,
    REFERENCE_MAX_LENGTH,
    TEXT_MAX_LENGTH,
    BankLine,
    Direction,
    NotReadable,
    Ordinals,
    amount_of,
    bank_reference_of,
    currency_of,
    day_of,
    words,
)

REQUIRED = ("account", "booked_on", "amount", "currency")
OPTIONAL = ("bank_reference", "reference", "text", "payer")
DELIMITERS = (",", ";", "\t")


def read_csv(file: IO[bytes]) -> Iterator[BankLine]:
    """Yield the lines of a table whose head names ``REQUIRED`` and any of ``OPTIONAL``.

    A debit has a negative amount. Decimals come after a point, or after a comma where semicolons
    separate. Raise ``NotReadable``, which says the line.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    ordinals = Ordinals()
    number = 1
    try:
        head = text.readline(10_000)
        delimiter = max(DELIMITERS, key=head.count)
        names = [name.strip().lower() for name in next(csv.reader([head], delimiter=delimiter), [])]
        _check_head(names)
        for cells in csv.reader(text, delimiter=delimiter, strict=True):
            number += 1
            if not any(cells):
                continue
            if len(cells) != len(names):
                raise NotReadable(f"It has {len(cells)} cells instead of {len(names)}.")
            yield _line(dict(zip(names, cells, strict=True)), delimiter, ordinals)
    except (UnicodeDecodeError, csv.Error) as error:
        raise NotReadable(f"Line {number}: {str(error)[:200]}") from None
    except NotReadable as error:
        raise NotReadable(f"Line {number}: {error}") from None


def _check_head(names: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise NotReadable(f"The head does not name {', '.join(missing)}.")
    unknown = {*names} - {*REQUIRED, *OPTIONAL}
    if unknown or len({*names}) < len(names):
        raise NotReadable("The head names a column twice, or one that is not known.")


def _line(cells: dict[str, str], delimiter: str, ordinals: Ordinals) -> BankLine:
    given = cells["amount"].strip()
    if delimiter == ";" and "." not in given:
        given = given.replace(",", ".")
    amount = amount_of(given.removeprefix("-"))
    direction = Direction.DEBIT if given.startswith("-") else Direction.CREDIT
    account = words(cells["account"].replace(" ", "").upper(), ACCOUNT_MAX_LENGTH)
    if not account:
        raise NotReadable("It does not say whose account it is of.")
    day, currency = day_of(cells["booked_on"]), currency_of(cells["currency"])
    bank_reference = bank_reference_of(cells.get("bank_reference"))
    reference = words(cells.get("reference"), REFERENCE_MAX_LENGTH)
    text = words(cells.get("text"), TEXT_MAX_LENGTH)
    payer = words(cells.get("payer"), PAYER_MAX_LENGTH)
    facts = (account, day, amount, currency, reference, text, payer, direction)
    return BankLine(
        direction=direction if amount else Direction.OTHER,
        account=account,
        booked_on=day,
        amount=amount,
        currency=currency,
        bank_reference=bank_reference,
        reference=reference,
        text=text,
        payer=payer,
        ordinal=0 if bank_reference else ordinals.next(*facts),
    )
