"""The archive of everything that is stored about one account.

It is written row by row, in the memory of one batch, from one snapshot of the database.
"""

import contextlib
import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from psycopg import sql

from accounts.models import User
from accounts.reader import written_for
from documents.rendered import Rendered
from personal.subjects import Subject, proved_addresses
from shop.core.apps import declared
from shop.core.columns import Rows, Table, tables
from shop.core.database import no_statement_timeout
from shop.core.times import iso

_BATCH = 2000
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Section:
    """One file of an archive."""

    table: Table
    rows: Rows

    @property
    def file(self) -> str:
        """Return the name of the file."""
        return f"{self.rows.section}.ndjson"

    @property
    def what(self) -> str | Promise:
        """Return what the rows are."""
        return self.rows.what or self.table.what

    @property
    def kept(self) -> str | Promise:
        """Return why some columns stay after an erasure."""
        return self.table.kept

    @property
    def fields(self) -> Sequence[str]:
        """Return the columns; none where the lines are written otherwise."""
        return [] if self.rows.row else self.table.exported

    def select(self) -> str:
        """Return the statement that writes the lines, over the parameters of a ``Subject``."""
        line = self.rows.row or _object(self.table)
        return f"SELECT ({line})::text FROM {self.table.name} AS t WHERE {self.rows.about}"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Other:
    """A file of an archive that an app writes itself; each line has all fields."""

    file: str
    what: str | Promise
    kept: str | Promise = ""
    fields: Sequence[str] = ()


def _object(table: Table) -> str:
    names = [(name, sql.Identifier(name).as_string(None)) for name in table.exported]
    pairs = ", ".join(f"'{name}', t.{quoted}" for name, quoted in names)
    return f"json_build_object({pairs})"


def sections() -> Iterator[Section]:
    """Yield the files of an archive."""
    for table in tables():
        for rows in table.rows:
            if rows.section:
                yield Section(table, rows)


def archive_write(user: User, output: Path) -> Rendered:
    """Write everything about an account into a zip."""
    subject = Subject.of(user, sessions=True)
    counts: list[tuple[Section | Other, int]] = []
    with (
        no_statement_timeout(),
        _snapshot(),
        zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive,
    ):
        for section in sections():
            counts.append((section, _write(archive, section.file, _lines(section, subject))))
        addresses = proved_addresses(user)
        for export in declared("exported_with"):
            name, what, rows = export(addresses)
            other = Other(f"{name}.ndjson", what)
            counts.append((other, _write(archive, other.file, map(json.dumps, rows))))
        with written_for(user):
            archive.writestr("README.txt", _readme(subject, counts))
        archive.writestr("manifest.json", json.dumps(_manifest(counts), indent=2))
    with output.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Rendered(pages=None, size=output.stat().st_size, sha256=digest)


def _write(archive: zipfile.ZipFile, name: str, lines: Iterable[str]) -> int:
    """Write a file of the archive. Return the number of its lines."""
    count = 0
    with archive.open(name, "w", force_zip64=True) as file:
        for line in lines:
            file.write(line.encode() + b"\n")
            count += 1
    return count


@contextlib.contextmanager
def _snapshot() -> Iterator[None]:
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _lines(section: Section, subject: Subject) -> Iterator[str]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(section.select(), subject.parameters())
        while rows := cursor.fetchmany(_BATCH):
            for (line,) in rows:
                yield line


def _manifest(counts: list[tuple[Section | Other, int]]) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "made_at": iso(timezone.now()),
        "complete": True,
        "files": [
            {
                "name": section.file,
                "rows": count,
                "fields": list(section.fields),
            }
            for section, count in counts
        ],
    }


def _readme(subject: Subject, counts: list[tuple[Section | Other, int]]) -> str:
    lines = [
        _("Everything that is stored about the account %(name)s.") % {"name": subject.username},
        "",
        _(
            "Each file has one JSON object in each line. purchases.ndjson can be sent to another "
            "shop as it is (POST /api/v1/purchases/bulk/). Passwords, keys and digests are in no "
            "file, because whoever finds this archive could sign in with them."
        ),
        "",
    ]
    for section, count in counts:
        lines += [f"{section.file} ({count})", f"    {section.what}"]
        if section.kept:
            lines.append(f"    {section.kept}")
    return "\n".join(lines) + "\n"
