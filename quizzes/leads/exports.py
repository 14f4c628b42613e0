"""Leads as files: a row for each result that a lead left its address for.

The columns are those of all versions' questions, in the order in which they were first published.
So none moves or disappears when a question is removed, and none is missing because the newest row
has no answer there.
"""

import csv
import io
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from django.db import connections
from django.db.models import Q
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from purchases.workbook import CONTENT_TYPE, Workbook, row_of
from quizzes.answering.sealed import RESULT
from quizzes.answering.sealed import opened as texts_opened
from quizzes.authoring.models import QuestionKey
from quizzes.companies.models import Company
from quizzes.leads.models import Consent, Lead, LeadResult
from quizzes.leads.sealing import opened
from shop.core import pace
from shop.core.cells import guard
from shop.core.threads import Threads
from shop.core.times import iso
from shop.server.streaming import streamed

BATCH = 200
FIXED = (
    *("lead", "email", "name", "state", "created_at", "confirmed_at", "consents"),
    *("result", "quiz", "version", "language", "finished_at", "points", "max", "percent"),
    *("band", "outcome"),
)
_NUMBERS = frozenset({"scale", "number"})
_TYPED = frozenset({"points", "max", "percent"})
_threads = Threads(2, "leads")

Cell = Any


@dataclass(frozen=True, slots=True)
class Column:
    """The answers to one question."""

    quiz: UUID
    key: str
    type: str
    name: str


class _Csv:
    content_type = "text/csv; charset=utf-8"

    def __init__(self, head: Sequence[str]) -> None:
        self._head = head

    def begin(self) -> bytes:
        return self.add([dict(zip(self._head, self._head, strict=True))])

    def add(self, rows: Sequence[dict[str, Cell]]) -> bytes:
        sink = io.StringIO()
        writer = csv.writer(sink)
        for row in rows:
            cells = [row.get(name) for name in self._head]
            writer.writerow([guard(cell) if isinstance(cell, str) else cell for cell in cells])
        return sink.getvalue().encode()

    def end(self) -> bytes:
        return b""


class _Xlsx:
    content_type = CONTENT_TYPE

    def __init__(self, head: Sequence[str]) -> None:
        self._head = head
        self._book = Workbook("leads", head, [20] * len(head))

    def begin(self) -> bytes:
        return self._book.begin()

    def add(self, rows: Sequence[dict[str, Cell]]) -> bytes:
        lines = ([self._cell(row, name) for name in self._head] for row in rows)
        return self._book.add([row_of(line) for line in lines])

    def end(self) -> bytes:
        return self._book.end()

    @staticmethod
    def _cell(row: dict[str, Cell], name: str) -> str | int | Decimal:
        cell = row.get(name)
        return "" if cell is None else cell


class _Jsonl:
    content_type = "application/x-ndjson"

    def __init__(self, head: Sequence[str]) -> None:
        self._head = head

    def begin(self) -> bytes:
        return b""

    def add(self, rows: Sequence[dict[str, Cell]]) -> bytes:
        lines = ({name: row.get(name) for name in self._head} for row in rows)
        return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)

    def end(self) -> bytes:
        return b""


FORMATS: dict[str, Callable[[Sequence[str]], Any]] = {
    "csv": _Csv,
    "xlsx": _Xlsx,
    "jsonl": _Jsonl,
}


def leads_export(
    request: HttpRequest, company: Company, *, format: str, everybody: bool, holder: str
) -> HttpResponseBase:
    """Answer with the results of a company's leads as a file.

    Only confirmed ones, whose lead has not left, unless ``everybody``.
    """
    columns = columns_of(company)
    encoder = FORMATS[format]([*FIXED, *(column.name for column in columns)])
    headers = {
        "Content-Type": encoder.content_type,
        "Content-Disposition": f'attachment; filename="leads.{format}"',
        "Cache-Control": "private, no-store",
    }
    if request.method == "HEAD":
        return StreamingHttpResponse(iter(()), headers=headers)
    rows = Rows(company.pk, columns, everybody=everybody)
    return streamed(request, Export(holder, encoder, rows), **headers)


def columns_of(company: Company) -> list[Column]:
    """Return a column for each question that any version of the company's quizzes ever had."""
    keys = QuestionKey.objects.filter(quiz__company=company).exclude(type="info")
    return [
        Column(key.quiz_id, key.question, key.type, f"{key.quiz.slug}.{key.question}")
        for key in keys.select_related("quiz").order_by("quiz__created_at", "quiz_id", "pk")
    ]


class Rows:
    """The rows of an export, a batch at a time, in the order of the results' time."""

    def __init__(self, company: UUID, columns: Sequence[Column], *, everybody: bool) -> None:
        self._company = company
        self._columns = columns
        self._wanted = Q(lead__company=company) & ~Q(lead__state=Lead.State.ERASED)
        if not everybody:
            self._wanted &= Q(confirmed_at__isnull=False, lead__state=Lead.State.CONFIRMED)
        self._last: tuple[Any, UUID, UUID] | None = None
        self._purposes: dict[UUID, list[str]] = {}

    def next(self) -> list[dict[str, Cell]]:
        """Return the next rows; none at the end."""
        found = (
            LeadResult.objects.filter(self._wanted, result__test=False)
            .select_related("lead", "result__quiz", "result__version")
            .defer("result__version__definition", "result__quiz__draft")
            .order_by("lead__created_at", "lead_id", "pk")
        )
        if self._last is not None:
            created, lead, pk = self._last
            found = found.filter(
                Q(lead__created_at__gt=created)
                | Q(lead__created_at=created, lead_id__gt=lead)
                | Q(lead__created_at=created, lead_id=lead, pk__gt=pk),
                lead__created_at__gte=created,
            )
        batch = list(found[:BATCH])
        if not batch:
            return []
        end = batch[-1]
        self._last = (end.lead.created_at, end.lead_id, end.pk)
        consents: dict[UUID, set[str]] = {}
        for consent in Consent.objects.filter(lead__in={one.lead_id for one in batch}):
            if consent.holds:
                consents.setdefault(consent.lead_id, set()).add(consent.purpose)
        return [self._row(one, sorted(consents.get(one.lead_id, ()))) for one in batch]

    def _row(self, contact: LeadResult, consents: list[str]) -> dict[str, Cell]:
        lead, result = contact.lead, contact.result
        email, name = opened(lead)
        texts = texts_opened(result.private, result.pk, RESULT)
        row: dict[str, Cell] = {
            "lead": str(lead.pk),
            "email": email,
            "name": name,
            "state": lead.state,
            "created_at": iso(lead.created_at),
            "confirmed_at": iso(contact.confirmed_at) if contact.confirmed_at else "",
            "consents": " ".join(consents),
            "result": str(result.pk),
            "quiz": result.quiz.slug,
            "version": result.version.number,
            "language": result.language,
            "finished_at": iso(result.finished_at),
            "points": result.points,
            "max": result.max,
            "percent": result.percent,
            "band": result.band,
            "outcome": result.outcome,
        }
        for column in self._columns:
            if column.quiz == result.quiz_id:
                answer = texts.get(column.key, result.answers.get(column.key))
                row[column.name] = _cell(column, answer)
        return row


def _cell(column: Column, answer: Any) -> Cell:
    if answer is None:
        return None
    if isinstance(answer, list):
        return " ".join(map(str, answer))
    return Decimal(str(answer)) if column.type in _NUMBERS else str(answer)


@dataclass(frozen=True, slots=True)
class Export:
    """A long export; see :class:`shop.server.streaming.Source`."""

    holder: str
    encoder: Any
    rows: Rows

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """Yield the export. A thread reads a batch while the client takes the one before."""
        block = self.encoder.begin()
        while True:
            found, made, seconds = await _threads.run(self._next)
            if not found:
                break
            block += made
            await pace.rested(seconds, self.holder)
            yield block
            block = b""
        yield block + self.encoder.end()

    def _next(self) -> tuple[bool, bytes, float]:
        """Return whether there were more rows, their bytes, and the seconds that they took."""
        began = time.monotonic()
        try:
            found = self.rows.next()
            made = self.encoder.add(found) if found else b""
        finally:
            connections.close_all()
        return bool(found), made, time.monotonic() - began

    def blocks_here(self) -> Iterator[bytes]:
        """Yield the export over the calling thread's connection."""
        yield self.encoder.begin()
        while found := self.rows.next():
            yield self.encoder.add(found)
        yield self.encoder.end()
