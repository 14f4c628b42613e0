"""The erasure of one account: a transaction for the database, and then what lies outside of it.

The account's row stays, without its names, because the ledger and the log refer to it. Everything
else follows the registry of columns. Files, sessions and mails of development are deleted after the
commit, by a task that is retried until it is done.
"""

import contextlib
import json
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from accounts.sessions.ending import end_credentials
from audit.services import details_erase, record
from documents.kinds import kinds
from documents.models import Document
from documents.storage import store
from people.guard import admin_remains, admins, lock_people
from personal.errors import Held
from personal.journal import ERASED, journal_append
from personal.models import WORK, Erasure, Hold
from personal.subjects import Subject, proved_addresses, sessions_naming
from personal.tombstones import tombstones_place
from shop.core.apps import declared
from shop.core.columns import tables
from shop.core.database import no_statement_timeout
from shop.core.jobs import backoff, from_now
from shop.core.sealing import seal, unseal
from shop.core.times import iso

logger = structlog.get_logger(__name__)

FIRST_DELAY_SECONDS = 10


def erase(erasure: Erasure) -> bool:
    """Erase the account of an erasure that is due. Return whether this call did it.

    Raise ``Held``, ``LastAdmin``, and ``OSError`` where the journal cannot be written.
    """
    with no_statement_timeout(), transaction.atomic():
        # The locks are taken in the order in which everybody takes them.
        lock_people()
        user = User.objects.select_for_update().filter(pk=erasure.account_id).first()
        mine = Erasure.objects.select_for_update().filter(
            pk=erasure.pk, cancelled_at=None, erased_at=None
        )
        if user is None or not mine.exists():
            return False
        if Hold.objects.filter(account_id=user.pk).exists():
            raise Held()
        is_admin = admins().filter(pk=user.pk).exists()
        subject = Subject.of(user, former=True)
        joined = iso(user.date_joined)
        addresses = proved_addresses(user, former=True)
        work = {"subject": asdict(subject), "files": _files(user.pk)}
        end_credentials(user, reason="erased")
        tombstones_place(username=user.username, userid=user.userid)
        _erase_rows(subject)
        for erase_more in declared("erased_with"):
            erase_more(addresses)
        details_erase(user.pk)
        record(
            "account.erased",
            object=f"account:{user.pk}",
            actor_id=erasure.requested_by_id,
        )
        if is_admin:
            admin_remains()
        mine.update(
            erased_at=Now(),
            work=seal(json.dumps(work).encode(), account=user.pk, column=WORK),
            attempts=0,
            next_attempt_at=Now(),
        )
        # Last, so that hardly anything can prevent the commit that it tells of.
        journal_append([{"kind": ERASED, "account": user.pk, "joined": joined}])
    logger.info("account.erased", user_id=user.pk)
    return True


def _erase_rows(subject: Subject) -> None:
    parameters = subject.parameters()
    with connection.cursor() as cursor:
        for table in tables():
            # What replaces a column goes first, because rows may be about an account twice.
            for rows in sorted(table.rows, key=lambda rows: rows.deletes):
                changes = ", ".join(f"{name} = {value}" for name, value in rows.erased.items())
                if rows.deletes:
                    cursor.execute(f"DELETE FROM {table.name} AS t WHERE {rows.about}", parameters)  # noqa: S608
                elif changes:
                    statement = f"UPDATE {table.name} AS t SET {changes} WHERE {rows.about}"  # noqa: S608
                    cursor.execute(statement, parameters)


def _files(account_id: int) -> list[str]:
    """Return the files of the account's documents, and make others' that name it unavailable."""
    own = Document.objects.filter(requested_by=account_id)
    own_files = own.exclude(file="").values_list("file", flat=True)
    files = [*own_files, *(f"{one.created_at:%Y/%m}/{one.pk}-*" for one in own)]
    for others in _of_others(account_id):
        # A worker that renders one has read the name. Its claim is gone, so it stores nothing.
        others.filter(status=Document.Status.RENDERING).update(
            status=Document.Status.QUEUED, claim=None, next_attempt_at=Now()
        )
        # A mail that waits would have the file, and one without it would promise it.
        others.filter(status=Document.Status.READY).update(
            status=Document.Status.FAILED, claim=None, error="Somebody in it was erased."
        )
        stored = others.exclude(file="")
        files += stored.values_list("file", flat=True)
        stored.update(removed_at=Now(), file="")
    return files


def _of_others(account_id: int) -> list[QuerySet[Document]]:
    found = []
    for kind in kinds():
        if (about := kind.about(account_id)) is not None:
            same = Document.objects.filter(Q(kind=kind.name), about)
            found.append(same.exclude(requested_by=account_id))
    return found


def finish(erasure: Erasure) -> bool:
    """Delete what lies outside the database. Return whether it is done; it may be called again."""
    if not erasure.work:
        return erasure.done_at is not None
    work: dict[str, Any] = json.loads(unseal(erasure.work, account=erasure.account_id, column=WORK))
    subject = work["subject"]
    try:
        for name in work["files"]:
            if name.endswith("*"):
                store.clear(name[:-1])
            else:
                store.delete(name)
        with no_statement_timeout():
            for key in list(sessions_naming(Subject(**subject))):
                Session.objects.filter(pk=key).delete()
        _mails_delete(subject["emails"])
    except OSError as error:
        logger.warning("erasure.unfinished", user_id=erasure.account_id, reason=str(error))
        Erasure.objects.filter(pk=erasure.pk).update(
            attempts=erasure.attempts + 1,
            next_attempt_at=from_now(backoff(FIRST_DELAY_SECONDS, erasure.attempts)),
        )
        return False
    Erasure.objects.filter(pk=erasure.pk, done_at=None).update(done_at=Now(), work="")
    logger.info("erasure.done", user_id=erasure.account_id)
    return True


def _mails_delete(addresses: list[str]) -> None:
    """Delete the mails to the account that development keeps as files."""
    folder = Path(getattr(settings, "EMAIL_FILE_PATH", None) or "")
    if not folder.name or not folder.is_dir():
        return
    for path in folder.glob("*.eml"):
        with contextlib.suppress(FileNotFoundError):
            head = path.read_bytes().partition(b"\n\n")[0].decode("utf-8", "replace").lower()
            if any(address in head for address in addresses):
                path.unlink()


def due_work(limit: int = 20) -> tuple[list[Erasure], list[Erasure]]:
    """Return erasures that are due, and those that are not finished outside the database."""
    waiting = Erasure.objects.filter(cancelled_at=None, done_at=None, next_attempt_at__lte=Now())
    unfinished = waiting.exclude(erased_at=None).order_by("next_attempt_at")[:limit]
    due = waiting.filter(erased_at=None, due_at__lte=Now()).order_by("next_attempt_at")[:limit]
    return list(due), list(unfinished)


def put_off(erasure: Erasure) -> None:
    """Try an erasure again in an hour, because something holds it up."""
    Erasure.objects.filter(pk=erasure.pk).update(
        attempts=min(erasure.attempts + 1, 1000),
        next_attempt_at=timezone.now() + timedelta(hours=1),
    )
