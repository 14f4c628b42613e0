"""Many purchases at once: a body of NDJSON, CSV or a JSON array, read line by line.

The body is put aside on disk first, so that a slow client holds no transaction open, and is then
recorded in one transaction: either every good line is in the ledger or, with an error, none is.
Memory stays flat: lines are read and recorded in chunks.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO, Any, TypeVar

import msgspec
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.access import Caller
from purchases import models
from purchases.commits import ledger_transaction
from purchases.entries import Entry, Found, Outcome, Recorded
from purchases.identity import Identity
from purchases.lines import LINES, Line, TooManyLines
from purchases.services import Batch, Customers, Rehearsal
from purchases.validation import DELIMITER, PurchaseInput, delimited, digest, parse_purchase
from shop.core import pace
from shop.core.errors import ApplicationError, PayloadTooLarge, Unavailable, ValidationFailed
from shop.core.idempotency import IdempotencyKeyReused

ERRORS_SHOWN = 1000
BODY_MAX_BYTES = 64 * 1024 * 1024
CHUNK = 2000
SECONDS = 120.0
_BLOCK = 256 * 1024
_IN_MEMORY = 1024 * 1024


class TooSlow(Unavailable):
    """Recording the upload takes too long; nothing of it was recorded."""

    detail = (
        f"This took longer than {SECONDS:.0f} seconds, and nothing was recorded. "
        "Try again, or send fewer lines at once."
    )


class ClientGone(Unavailable):
    """Nobody waits for the answer any more; nothing was recorded."""


class IncompleteBody(ApplicationError):
    """The body ended before its Content-Length; nothing was recorded."""

    code = "incomplete_body"
    detail = "The request body ended early; nothing was recorded."


@dataclass(slots=True)
class BulkResult:
    """What became of the lines; ``errors`` holds the first of those that were rejected."""

    recorded: int = 0
    duplicates: int = 0
    rejected: int = 0
    # Whether the same request, by its Idempotency-Key, was carried out before.
    replayed: bool = False
    errors: list[dict[str, Any]] = field(default_factory=list)

    def count(self, line: int, outcome: Outcome) -> None:
        """Count a line by its outcome, and keep its errors if there is room."""
        if isinstance(outcome, Recorded):
            if outcome.replayed:
                self.duplicates += 1
            else:
                self.recorded += 1
            return
        self.rejected += 1
        if len(self.errors) < ERRORS_SHOWN:
            self.errors.append(
                {
                    "line": line,
                    "errors": [
                        {"code": item.code, "detail": item.detail, "attr": item.attr}
                        for item in outcome.errors
                    ],
                }
            )


Chunk = list[tuple[int, Entry | ApplicationError]]
T = TypeVar("T")


def spool(stream: Any, length: int | None) -> IO[bytes]:
    """Return a temporary file with the whole body of a request.

    ``length`` is its Content-Length, if it has one. A body that came as such a file is not stored
    again. Raise ``PayloadTooLarge`` and ``IncompleteBody``.
    """
    if isinstance(stream, SpooledTemporaryFile):
        return stream
    if length is not None and length > BODY_MAX_BYTES:
        raise PayloadTooLarge()
    file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
    size = 0
    while block := stream.read(_BLOCK):
        size += len(block)
        if size > BODY_MAX_BYTES:
            file.close()
            raise PayloadTooLarge()
        file.write(block)
    if length is not None and size != length:
        file.close()
        raise IncompleteBody()
    file.seek(0)
    return file


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What a bulk request asks for.

    ``idempotency_key`` is the request's own; ``body`` is then the digest of all that it asks for,
    as :func:`body_digest` makes it. ``identity`` tells its lines apart where that is not left to
    the request's key and the contents. ``stopped`` says whether nobody waits for the answer any
    more; ``seconds`` are what the whole work may take.
    """

    caller: Caller
    idempotency_key: str | None = None
    body: str = ""
    identity: Identity | None = None
    dry_run: bool = False
    stopped: Callable[[], bool] = lambda: False
    seconds: float = SECONDS


def body_digest(file: IO[bytes], *options: object) -> str:
    """Return the digest of a body and of the options that it was sent with."""
    whole = blake2b(delimited(*options, "").encode(), digest_size=16)
    while block := file.read(_BLOCK):
        whole.update(block)
    file.seek(0)
    return whole.hexdigest()


def record_lines(lines: Iterator[Line], upload: Upload) -> BulkResult:
    """Record the good ones of many lines in one transaction and return what became of them all.

    Raise ``TooManyLines``, ``TooSlow``, ``ClientGone``, ``IdempotencyKeyReused`` and whatever the
    database raises, with nothing recorded, and ``OutcomeUnknown`` where it is not known whether
    the commit came through.
    """
    result = BulkResult()
    clock = _Clock(upload)
    with ledger_transaction():
        with connection.cursor() as cursor:
            # Foreign keys are checked with each chunk, while the next one is being read,
            # instead of all together at the end.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        result.replayed = _claim(upload)
        _record_chunks(ahead(chunks(_entries(lines, upload, clock))), upload, clock, result)
        if upload.dry_run:
            transaction.set_rollback(True)
    return result


class _Clock:
    """Ends the work on an upload for which there is no time left, or nobody."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._end = time.monotonic() + upload.seconds

    def check(self) -> None:
        """Raise ``ClientGone`` or ``TooSlow`` where going on is of no use."""
        if self._upload.stopped():
            raise ClientGone()
        if time.monotonic() > self._end:
            raise TooSlow()


def _claim(upload: Upload) -> bool:
    """Take the request's key; return whether the same request was carried out before.

    Of two requests with one key that come at once, the second waits here for the first, before it
    has written anything. Raise ``IdempotencyKeyReused`` where the key came with another body.
    """
    if upload.idempotency_key is None:
        return False
    key = digest(delimited("upload", upload.caller.id, upload.idempotency_key))
    with connection.cursor() as cursor:
        if not upload.dry_run:
            cursor.execute(
                f"INSERT INTO {models.Upload._meta.db_table} (key, body) VALUES (%s, %s)"  # noqa: S608
                " ON CONFLICT (key) DO NOTHING",
                [key, upload.body],
            )
            if cursor.rowcount:
                return False
    bodies = models.Upload.objects.filter(key=key).values_list("body", flat=True)
    body = bodies.first()
    if body is not None and body.hex != upload.body:
        raise IdempotencyKeyReused()
    return body is not None


def _entries(
    lines: Iterator[Line], upload: Upload, clock: _Clock
) -> Iterator[tuple[int, Entry | ApplicationError]]:
    for count, (number, data) in enumerate(lines, 1):
        if count > LINES:
            raise TooManyLines()
        if not count % 256:
            clock.check()
        if isinstance(data, ApplicationError):
            yield number, data
            continue
        try:
            purchase = parse_purchase(data, now=timezone.now())
            entry = _entry(upload, purchase, data, number)
        except ValidationFailed as error:
            yield number, error
        else:
            yield number, entry


def _entry(upload: Upload, purchase: PurchaseInput, data: Any, number: int) -> Entry:
    if upload.identity is not None:
        return upload.identity.entry(upload.caller, purchase, data)
    if upload.idempotency_key is None:
        return Entry(upload.caller, purchase)
    # Neither part holds a delimiter, so no two lines of any two requests have one key.
    key = delimited(upload.idempotency_key, number)
    return Entry(upload.caller, purchase, key, scope="line")


def chunks(items: Iterator[T]) -> Iterator[list[T]]:
    """Yield the items, as many at a time as one statement records."""
    while chunk := list(islice(items, CHUNK)):
        yield chunk


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield the items, making the next in a thread while the caller is busy with this one.

    So PostgreSQL writes one chunk while the next is read and validated. At most two are in memory.
    """
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="bulk") as thread:
        coming: Future[Any] = thread.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = thread.submit(next, items, end)
            yield item


def _record_chunks(
    chunks: Iterator[Chunk], upload: Upload, clock: _Clock, result: BulkResult
) -> None:
    """Record the chunks one after the other, each prepared while the one before is written."""
    customers = Customers()
    met: dict[str, Found] = {}
    by_line = upload.idempotency_key is not None and upload.identity is None
    before: bool | None = None if by_line else False
    writing: tuple[Chunk, Batch, Future[None]] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="bulk") as thread:
        for chunk in chunks:
            clock.check()
            entries = [item for _, item in chunk if isinstance(item, Entry)]
            try:
                with pace.work():
                    if before is None and entries:
                        before = Batch(_as_before(entries), customers).is_recorded()
                    if before:
                        entries = _as_before(entries)
                    batch = (
                        Rehearsal(entries, customers, met)
                        if upload.dry_run
                        else Batch(entries, customers)
                    )
            except DatabaseError:
                if writing is not None:
                    # The write has failed, and with it the transaction.
                    writing[2].result()
                raise
            if writing is not None:
                _count(*writing, result)
            writing = (chunk, batch, thread.submit(_write, batch))
        if writing is not None:
            _count(*writing, result)


def _as_before(entries: list[Entry]) -> list[Entry]:
    """Return the entries with the keys that versions before the table of uploads gave lines."""
    return [
        msgspec.structs.replace(
            entry,
            scope="key",
            idempotency_key=(entry.idempotency_key or "").replace(DELIMITER, ":"),
        )
        for entry in entries
    ]


def _write(batch: Batch) -> None:
    with pace.work():
        batch.write()


def _count(chunk: Chunk, batch: Batch, written: "Future[None]", result: BulkResult) -> None:
    written.result()
    with pace.work():
        outcomes = iter(batch.outcomes())
        for number, item in chunk:
            result.count(number, next(outcomes) if isinstance(item, Entry) else item)
