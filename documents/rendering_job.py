"""Rendering: a worker claims a document, renders its file and stores it.

:mod:`shop.core.jobs` explains claims. The worker first checks that the store takes files, so that
an outage of the store costs no rendering and no attempt.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from documents.kinds import kind_of
from documents.models import Document
from documents.rendered import RenderingFailed, TooLong
from documents.storage import store
from shop.core.jobs import backoff, from_now

logger = structlog.get_logger(__name__)

_FOLDERS = "document-"
_ABANDONED_SECONDS = 1000.0
"""No task runs for longer, whether it has locked its folder or not."""
STORE_AWAY = "It cannot be stored at the moment, and is tried again."


def document_render(document_id: uuid.UUID) -> None:
    """Render a queued document and store its file; do nothing where it is not queued."""
    claim = uuid.uuid4()
    queued = Document.objects.filter(pk=document_id, status=Document.Status.QUEUED)
    if queued.update(**claimed(claim)):
        render_claimed(document_id, claim)


def claimed(claim: uuid.UUID) -> dict[str, object]:
    """Return the columns that turn a queued document into one that a worker renders."""
    return {
        "status": Document.Status.RENDERING,
        "claim": claim,
        "claimed_at": Now(),
        "attempts": F("attempts") + 1,
    }


def render_claimed(document_id: uuid.UUID, claim: uuid.UUID) -> bool:
    """Render a document that this worker has claimed, and store the file.

    Return ``False`` where the store is away.
    """
    document = Document.objects.select_related("requested_by").get(pk=document_id)
    kind = kind_of(document)
    if not kind.filed:
        # It has failed before, and somebody queued it again.
        _put_back(document, claim, status=Document.Status.READY, next_attempt_at=Now())
        return True
    folder = f"{document.created_at:%Y/%m}/{document.pk}-"
    # The claim is in the name, so that no two workers ever write the same file.
    name = f"{folder}{claim.hex}{kind.suffix}"
    about = {"document_id": str(document.pk), "kind": document.kind}
    logger.info("document.rendering", **about, attempt=document.attempts)
    try:
        with _renewing(claim):
            # An earlier worker may have died after it stored a file of this document.
            store.clear(folder)
            store.check()
    except OSError as error:
        logger.warning("document.store_away", **about, reason=str(error))
        _put_back(document, claim, attempts=F("attempts") - 1, error=STORE_AWAY)
        return False
    try:
        with _folder(document) as work, _renewing(claim):
            output = work / f"document{kind.suffix}"
            rendered = kind.render(document, output)
            store.put(name, output)
    except TooLong as error:
        _rendering_failed(document, claim, str(error), error, final=True)
        return True
    except RenderingFailed as error:
        _rendering_failed(document, claim, "The PDF could not be made.", error)
        return True
    except OSError as error:
        _rendering_failed(document, claim, "The PDF could not be stored.", error)
        return True
    stored = Document.objects.filter(pk=document.pk, claim=claim).update(
        # There is no status of its own for what is finished without a mail.
        status=Document.Status.READY if kind.mailed else Document.Status.SENT,
        file=name,
        pages=rendered.pages,
        size=rendered.size,
        sha256=rendered.sha256,
        rendered_at=Now(),
        next_attempt_at=Now(),
        error="",
    )
    if stored:
        logger.info("document.ready", **about, pages=rendered.pages)
    else:
        # The sweep has meanwhile released the claim, and another worker may have the document.
        store.delete(name)
    return True


@contextlib.contextmanager
def _folder(document: Document) -> Iterator[Path]:
    """Make a folder to render in, which is locked for as long as this process lives."""
    abandoned_remove(str(document.pk), seconds=0.0)
    with tempfile.TemporaryDirectory(prefix=f"{_FOLDERS}{document.pk}-") as folder:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield Path(folder)
        finally:
            os.close(descriptor)


def abandoned_remove(document: str = "", *, seconds: float = _ABANDONED_SECONDS) -> None:
    """Remove the folders of killed workers, because what they hold may have been erased since.

    They are those of one document or of all, in which nothing was made for some seconds.
    """
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDERS}{document}*"):
        # Another user's, one that is gone, or one that a worker that lives has locked.
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(descriptor).st_mtime < time.time() - seconds:
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)


def _rendering_failed(
    document: Document, claim: uuid.UUID, told: str, error: Exception, *, final: bool = False
) -> None:
    logger.warning("document.rendering_failed", document_id=str(document.pk), reason=str(error))
    if final or document.attempts >= settings.DOCUMENT_RENDER_ATTEMPTS:
        _put_back(document, claim, status=Document.Status.FAILED, error=told)
    else:
        _put_back(document, claim, error=told)


def _put_back(document: Document, claim: uuid.UUID, **changes: Any) -> None:
    delay = backoff(settings.DOCUMENT_RETRY_SECONDS, document.attempts - 1)
    Document.objects.filter(pk=document.pk, claim=claim).update(
        **{
            "status": Document.Status.QUEUED,
            "claim": None,
            "next_attempt_at": from_now(delay),
            **changes,
        }
    )


@contextlib.contextmanager
def _renewing(claim: uuid.UUID) -> Iterator[None]:
    """Renew a claim from a thread, so that only a dead worker's claim goes stale."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(settings.DOCUMENT_CLAIM_SECONDS / 4):
            with contextlib.suppress(Exception):
                Document.objects.filter(claim=claim, status=Document.Status.RENDERING).update(
                    claimed_at=Now()
                )
            connection.close()

    thread = threading.Thread(target=renew, name="renew", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
