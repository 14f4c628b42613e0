"""Downloads of documents through the web process, whole or by ranges (RFC 9110, 13 and 14).

Django sends a file from a folder. A file from a remote store is streamed by separate threads, so
that a store that hangs blocks no other request.
"""

import contextlib
import io
import re
from collections.abc import AsyncGenerator, Iterator
from typing import IO, Any

from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header

from documents.kinds import kind_of
from documents.models import Document
from documents.s3 import RemoteFile, StoreAway
from documents.storage import store
from shop.core.errors import ApplicationError, Conflict, NotFound, Unavailable, error_body
from shop.core.threads import Threads
from shop.server.streaming import streamed

BLOCK = 256 * 1024
# The name of a unit is compared without regard to case.
_RANGE = re.compile(r"bytes=([0-9]{0,40})-([0-9]{0,40})", re.IGNORECASE)


class NotReady(Conflict):
    """The document is not rendered yet."""

    code = "not_ready"
    detail = "The PDF is not ready yet."


class Gone(ApplicationError):
    """The file was removed after its retention time."""

    status = 410
    code = "gone"
    detail = "The PDF is no longer kept. Ask for the report again."


class RangeNotSatisfiable(ApplicationError):
    """The file has no byte in the range."""

    status = 416
    code = "range_not_satisfiable"
    detail = "The range is beyond the end of the file."


class PreconditionFailed(ApplicationError):
    """The file differs from the version in ``If-Match``."""

    status = 412
    code = "precondition_failed"
    detail = "The file differs from the version in If-Match."


def download(request: HttpRequest, document: Document, holder: str) -> Any:
    """Answer with the document's file or the requested range; the caller has checked access.

    ``holder`` takes a place in the room of streams. Raise ``Gone``, ``NotReady``,
    ``PreconditionFailed``, ``NotFound`` where the file is missing, and ``Unavailable`` where the
    store is away.
    """
    if document.removed_at is not None:
        raise Gone()
    if not document.is_stored:
        raise NotReady()
    kind = kind_of(document)
    etag = f'"{document.sha256}"' if document.sha256 else None
    headers = {
        "Content-Disposition": content_disposition_header(True, kind.file_name(document)) or "",
        "Cache-Control": "private, no-cache" if etag else "private, no-store",
        "Accept-Ranges": "bytes",
        **({"ETag": etag} if etag else {}),
    }
    answer = get_conditional_response(request, etag=etag, response=HttpResponse(headers=headers))
    refused = answer.status_code if answer is not None else None
    # Django fails `If-Unmodified-Since` too where there is no date, which is to be ignored.
    if refused == 412 and "If-Match" in request.headers:
        raise PreconditionFailed()
    if refused == 304:
        return answer
    try:
        file = store.read(document.file)
    except FileNotFoundError:
        raise NotFound("The stored PDF is missing.", code="pdf_missing") from None
    except StoreAway:
        raise Unavailable("The file cannot be read at the moment. Try again shortly.") from None
    size = file.seek(0, io.SEEK_END)
    asked = _asked_for(request, etag, size)
    start, stop = asked or (0, size)
    if asked is not None and start >= stop:
        file.close()
        empty = JsonResponse(error_body(RangeNotSatisfiable()), status=416)
        empty["Content-Range"] = f"bytes */{size}"
        return empty
    headers["Content-Length"] = str(stop - start)
    if asked is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    part = _Part(file, start, stop)
    response: Any
    if isinstance(getattr(file, "raw", None), RemoteFile):
        response = streamed(request, _Remote(part, holder), **headers)
    else:
        response = FileResponse(part, headers=headers)
    response["Content-Type"] = kind.media_type
    response.status_code = 206 if "Content-Range" in headers else 200
    return response


def _asked_for(request: HttpRequest, etag: str | None, size: int) -> tuple[int, int] | None:
    """Return the range's start and end, exclusive; both are equal for an empty range.

    ``None`` means the whole file, as for an unknown form of range, or for one of another version.
    """
    asked = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if request.method != "GET" or asked is None:
        return None
    if request.headers.get("If-Range", etag) != etag:
        return None
    first, last = asked.groups()
    if not first:
        return (max(0, size - int(last)), size) if last else None
    if last and int(last) < int(first):
        return None
    return min(int(first), size), min(int(last) + 1, size) if last else size


class _Part:
    """A part of a file, as a file object for Django and the server."""

    def __init__(self, file: IO[bytes], start: int, stop: int) -> None:
        self._file = file
        self._left = stop - start
        file.seek(start)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._file.close()


_threads = Threads(8, "documents")


class _Remote:
    """A part of a file in a remote store, as the source of a stream."""

    def __init__(self, part: _Part, holder: str) -> None:
        self._part = part
        self.holder = holder

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        try:
            while block := await _threads.run(self._part.read, BLOCK):
                yield block
        finally:
            _threads.run(self._part.close)

    def blocks_here(self) -> Iterator[bytes]:
        with contextlib.closing(self._part):
            while block := self._part.read(BLOCK):
                yield block
