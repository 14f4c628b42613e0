"""Invariants of recorded data, which apps declare and ``manage.py verify_ledger`` checks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import connection

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """One invariant: a sentence that states it, and a function that finds its violations.

    ``find_broken`` yields a line for each violation. Its argument is a function that prints a line
    about what is in order. All checks read one snapshot.
    """

    what: str
    find_broken: Callable[[Say], Iterator[str]]


def no_rows(what: str, query: str) -> LedgerCheck:
    """Return the invariant that the query finds no row. Its first column names a violation."""

    def find_broken(say: Say) -> Iterator[str]:
        with connection.cursor() as cursor:
            cursor.execute(query)
            yield from (str(row[0]) for row in cursor.fetchall())

    return LedgerCheck(what, find_broken)
