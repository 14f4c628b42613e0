"""After a restore: series go on in a new generation, because numbers after the backup are on paper.

Which generations were ever opened is in the journal, which no restore takes back. So two restores
of one backup open two.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection, transaction

from billing.invoices.models import Kind, Series
from billing.invoices.series import code_of, today
from personal.journal import journal_append

OPENED = "series"


def generations_open(journal: Iterable[Mapping[str, Any]]) -> str:
    """Open a new generation of every series, also of those that the backup is too old for."""
    newest: dict[tuple[str, int], int] = {(kind, today().year): 0 for kind in Kind.values}
    for entry in journal:
        if entry.get("kind") == OPENED and entry.get("of") in Kind.values:
            place = (str(entry["of"]), int(entry["year"]))
            newest[place] = max(newest.get(place, 0), int(entry["generation"]))
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT kind, year, max(generation) FROM billing_series GROUP BY 1, 2")
            for kind, year, generation in cursor.fetchall():
                newest[kind, year] = max(newest.get((kind, year), 0), generation)
        opened = [
            Series(
                code=code_of(kind, year, generation + 1),
                kind=kind,
                year=year,
                generation=generation + 1,
            )
            for (kind, year), generation in sorted(newest.items())
        ]
        Series.objects.bulk_create(opened)
        # Last, so that hardly anything can prevent the commit that it tells of.
        journal_append(
            {"kind": OPENED, "of": each.kind, "year": each.year, "generation": each.generation}
            for each in opened
        )
    return f"Documents go on in {', '.join(each.code for each in opened)}."
