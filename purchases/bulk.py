"""Many purchases at once: a body of NDJSON, CSV or a JSON array, read line by line.

The server first writes the body to disk, so that a slow client holds no transaction open. It then
records the lines in one transaction: either every valid line is in the ledger or, after an error,
none. Memory stays flat, because the server reads and records the lines in chunks.
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
SECONDS = 240.0
_BLOCK = 256 * 1024
_IN_MEMORY = 1024 * 1024


class TooSlow(Unavailable):
    """Recording the upload takes too long; nothing of it was recorded."""

    detail = (
        f"This took longer than {SECONDS:.0f} seconds, and nothing was recorded. "
        "Try again, or send fewer lines at once."
    )


class ClientGone(Unavailable):
    """The client has left; nothing was recorded."""


class IncompleteBody(ApplicationError):
    """The body ended before its Content-Length; nothing was recorded."""

    code = "incomplete_body"
    detail = "The request body ended early; nothing was recorded."


@dataclass(slots=True)
class BulkResult:
    """Counts of the lines by outcome; ``errors`` holds the first rejected lines."""

    recorded: int = 0
    duplicates: int = 0
    rejected: int = 0
    # Whether this request repeats an earlier one with its Idempotency-Key.
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

    ``length`` is its Content-Length, if it has one. A body that is such a file already is returned
    as it is. Raise ``PayloadTooLarge`` and ``IncompleteBody``.
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
    """The options of a bulk request.

    ``idempotency_key`` is the request's own; ``body`` is then its :func:`body_digest`. ``identity``
    identifies each line; without it a line is identified by the request's key and its number, or by
    its content. ``stopped`` returns whether the client has left; ``seconds`` is the time limit of
    the work.
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
    """Record the valid lines in one transaction; return counts of all lines.

    Raise ``TooManyLines``, ``TooSlow``, ``ClientGone``, ``IdempotencyKeyReused`` or the database's
    errors, with nothing recorded, and ``OutcomeUnknown`` where the commit may have succeeded.
    """
    result = BulkResult()
    clock = _Clock(upload)
    with ledger_transaction():
        result.replayed = _claim(upload)
        _record_chunks(prefetched(chunks(_entries(lines, upload, clock))), upload, clock, result)
        if upload.dry_run:
            transaction.set_rollback(True)
    return result


class _Clock:
    """Ends the work on an upload after its time limit, or after its client has left."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._end = time.monotonic() + upload.seconds

    def check(self) -> None:
        """Raise ``ClientGone`` or ``TooSlow`` where the work has to end."""
        if self._upload.stopped():
            raise ClientGone()
        if time.monotonic() > self._end:
            raise TooSlow()


def _claim(upload: Upload) -> bool:
    """Claim the request's key; return whether an earlier request with this key succeeded.

    Of two concurrent requests with one key, the second waits here for the first, before it has
    written anything. Raise ``IdempotencyKeyReused`` where the key came with another body.
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
    # Neither part can contain the delimiter, so the keys of two lines always differ.
    key = delimited(upload.idempotency_key, number)
    return Entry(upload.caller, purchase, key, scope="line")


def chunks(items: Iterator[T]) -> Iterator[list[T]]:
    """Yield lists of at most ``CHUNK`` items, which one statement records."""
    while chunk := list(islice(items, CHUNK)):
        yield chunk


def prefetched(items: Iterator[T]) -> Iterator[T]:
    """Yield the items, and prepare the next in a thread while the caller handles this one.

    So PostgreSQL writes one chunk while the server reads and validates the next. At most two are in
    memory.
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
    """Record the chunks in order, and prepare each while PostgreSQL writes the one before."""
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
                    # The write failed first and ended the transaction, so its error is the one to
                    # raise.
                    writing[2].result()
                raise
            if writing is not None:
                _count(*writing, result)
            writing = (chunk, batch, thread.submit(_write, batch))
        if writing is not None:
            _count(*writing, result)


def _as_before(entries: list[Entry]) -> list[Entry]:
    """Return the entries with the line keys of versions before the table of uploads."""
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
