"""Exports: asking for one, and finding one's own."""

import hashlib
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts.models import User
from audit.services import record
from documents.models import Document
from documents.upkeep import announce
from personal.kinds import Export
from personal.mails import mail
from shop.core.errors import ApplicationError, NotFound

DAILY = 5
_DAY = timedelta(days=1)
_UNFINISHED = (Document.Status.QUEUED, Document.Status.RENDERING)


class TooManyExports(ApplicationError):
    """The account has asked for its data often enough today."""

    status = 429
    code = "throttled"
    detail = gettext_noop("You have asked for your data often today. Try again tomorrow.")
    retry_after = 24 * 3600


def exports_of(user: User) -> QuerySet[Document]:
    """Return the account's exports, newest first."""
    return Document.objects.filter(kind=Export.name, requested_by=user)


def export_request(*, user: User, idempotency_key: str | None = None) -> tuple[Document, bool]:
    """Queue an export of everything about the account; return it, and whether this is a repeat.

    An export that is not finished is the same export. Raise ``TooManyExports``.
    """
    # Keys are unique for each account, and a key of a report is another key.
    key = None
    if idempotency_key:
        key = f"export:{hashlib.sha256(idempotency_key.encode()).hexdigest()}"
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).only("pk").get(pk=user.pk)
        exports = exports_of(user)
        earlier = exports.filter(idempotency_key=key).first() if key else None
        if earlier is not None:
            return earlier, True
        if (unfinished := exports.filter(status__in=_UNFINISHED).first()) is not None:
            return unfinished, True
        if exports.filter(created_at__gt=timezone.now() - _DAY).count() >= DAILY:
            raise TooManyExports()
        export = Document.objects.create(kind=Export.name, requested_by=user, idempotency_key=key)
        export.refresh_from_db()
        record("export.requested", object=f"account:{user.pk}", actor_id=user.pk)
        mail(user, "export_requested")
        transaction.on_commit(lambda: announce(export.pk))
    return export, False


def export_of(user: User, id: str) -> Document:
    """Return an export of the account. Raise ``NotFound``."""
    try:
        export = exports_of(user).filter(pk=UUID(id)).first()
    except ValueError:
        export = None
    if export is None:
        raise NotFound()
    return export


def is_over(export: Document) -> bool:
    """Return whether the file's time is over, whether or not it was deleted yet."""
    if export.removed_at is not None:
        return True
    made = export.rendered_at
    return made is not None and made + Export().kept() <= timezone.now()


def status_of(export: Document) -> str:
    """Return ``queued``, ``running``, ``ready``, ``failed`` or ``expired``."""
    if is_over(export):
        return "expired"
    return {
        Document.Status.QUEUED: "queued",
        Document.Status.RENDERING: "running",
        Document.Status.FAILED: "failed",
    }.get(Document.Status(export.status), "ready")
