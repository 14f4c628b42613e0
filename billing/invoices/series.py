"""The series of documents: whoever takes the next number holds the row's lock until the commit."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection

from billing.invoices.models import Kind
from shop.core.database import fetch_prepared
from shop.core.site_settings.general import TIME_ZONE
from shop.core.times import sql_zone

PREFIXES = {Kind.INVOICE: "INV", Kind.CREDIT_NOTE: "CN"}

_TODAY = "(clock_timestamp() AT TIME ZONE %(zone)s)::date"
# The newest generation of the year. Another transaction may just have opened the year.
_LOCK = f"""
SELECT code, next_number, last_hash, greatest(last_issued_on, {_TODAY}), year, {_TODAY}
  FROM billing_series
 WHERE kind = %(kind)s AND year = extract(year FROM {_TODAY})
 ORDER BY generation DESC LIMIT 1
   FOR UPDATE
"""  # noqa: S608
_OPEN = """
INSERT INTO billing_series (code, kind, year, generation, next_number, last_hash)
VALUES (%s, %s, %s, 0, 1, decode(repeat('00', 32), 'hex'))
ON CONFLICT DO NOTHING
"""


@dataclass(slots=True)
class Place:
    """What the next document of a series gets, while this transaction holds the series."""

    series: str
    number: int
    previous_hash: bytes
    issued_on: date

    @property
    def label(self) -> str:
        """Return the number that people read, as ``INV-2026-000123``."""
        return f"{self.series}-{self.number:06}"


def code_of(kind: str, year: int, generation: int = 0) -> str:
    """Return the code of a series, as ``INV-2026`` or, after a restore, ``INV-2026-R1``."""
    code = f"{PREFIXES[Kind(kind)]}-{year}"
    return f"{code}-R{generation}" if generation else code


def today() -> date:
    """Return the present day in the site's time zone, by the clock of the database."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_TODAY}", {"zone": sql_zone(TIME_ZONE.value)})
        found: date = cursor.fetchone()[0]
    return found


def next_place(kind: str) -> Place:
    """Lock the present year's series of a kind and return its next place.

    The day is the present one in the site's time zone, or that of the last document if the clock
    was turned back. The lock is held until the transaction ends. Nothing is changed yet.
    """
    place: dict[str, Any] = {"kind": kind, "zone": sql_zone(TIME_ZONE.value)}
    while True:
        rows = fetch_prepared(_LOCK, place)
        if not rows:
            year = today().year
            with connection.cursor() as cursor:
                cursor.execute(_OPEN, [code_of(kind, year), kind, year])
            continue
        code, number, previous_hash, issued_on, year, now = rows[0]
        # Else the year ended while this transaction waited.
        if now.year <= year:
            return Place(code, number, bytes(previous_hash), issued_on)
