"""Which format a bank's file is in."""

from typing import IO

from billing.payments.bank_statements.camt import read_camt
from billing.payments.bank_statements.lines import BankLine, bounded
from billing.payments.bank_statements.table import read_csv

_XML = (b"<", b"\xef\xbb\xbf<", b"\xff\xfe", b"\xfe\xff")


def read_statement(file: IO[bytes], *, most: int) -> list[BankLine]:
    """Return the lines of a file: XML by its first byte, else CSV.

    Raise ``NotReadable``, ``WrongSums`` and ``TooManyLines``.
    """
    start = file.read(512)
    text = start.lstrip(b" \t\r\n")
    # An XML declaration must be the first thing, which some portals of banks do not know.
    file.seek(len(start) - len(text))
    read = read_camt if text.startswith(_XML) else read_csv
    return bounded(read(file), most)
