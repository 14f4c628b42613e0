"""Documents. The row is the job, and a Celery message only announces it."""

from datetime import date

from django.conf import settings
from django.db import models
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Now

from accounts.models import User
from shop.core.ids import UUIDv7


class Document(models.Model):
    """A file that workers render, store and mail, and its status.

    ``requested_by`` is the account that asked for it. It is null where somebody without an account
    did, and its kind then knows the recipient.

    Its ``kind`` (:mod:`documents.kinds`) finds its data by its period, by ``parameters``, or by its
    id alone.

    A worker takes a document with a conditional update that writes a ``claim``, and renews
    ``claimed_at`` while it renders. When the renewals stop, another worker takes the document.
    ``SENDING`` is different, because a mail that may have been sent is never sent again. Such a
    document fails and keeps its ``claim``; a failed document without a claim was certainly not
    mailed.
    """

    class Status(models.TextChoices):
        QUEUED = "queued"
        RENDERING = "rendering"
        READY = "ready"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    kind = models.CharField(max_length=20)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="documents",
        db_index=False,
        null=True,
    )
    since = models.DateField(null=True)
    until = models.DateField(null=True)
    parameters = models.JSONField(default=dict, db_default={})
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    error = models.CharField(max_length=500, blank=True)
    idempotency_key = models.CharField(max_length=255, null=True)  # noqa: DJ001
    created_at = models.DateTimeField(db_default=Now())
    claim = models.UUIDField(null=True)
    claimed_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    mail_attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(db_default=Now())
    rendered_at = models.DateTimeField(null=True)
    emailed_at = models.DateTimeField(null=True)
    # The name of the file in documents.storage.
    file = models.CharField(max_length=200, blank=True, db_column="pdf")
    pages = models.PositiveIntegerField(null=True)
    size = models.PositiveBigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)
    # Set when the file's retention time is over. The file may exist for a moment longer.
    removed_at = models.DateTimeField(null=True)

    class Meta:
        # The names of the table and its indexes date from when reports were the only documents.
        db_table = "reports_report"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["requested_by", "idempotency_key"], name="reports_idempotency"
            ),
            models.CheckConstraint(
                condition=models.Q(since__lte=models.F("until")), name="reports_period"
            ),
        ]
        indexes = [
            models.Index(fields=["requested_by", "created_at", "id"], name="reports_by_requester"),
            models.Index(fields=["created_at", "id"], name="reports_by_time"),
            # Documents about somebody else than who asked for them.
            models.Index(
                KeyTransform("customer", "parameters"),
                "created_at",
                "id",
                name="documents_by_customer",
            ),
            models.Index(
                fields=["next_attempt_at"],
                condition=~models.Q(status__in=["sent", "failed"]),
                name="reports_unfinished",
            ),
            models.Index(
                fields=["requested_by"],
                condition=models.Q(status="rendering"),
                name="reports_rendering",
            ),
            models.Index(
                fields=["created_at", "id"],
                condition=models.Q(status="failed"),
                name="reports_failed",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def account(self) -> User:
        """Return the account that asked for it; raise ``ValueError`` where none did."""
        if self.requested_by is None:
            raise ValueError("No account asked for this document.")
        return self.requested_by

    @property
    def public_status(self) -> str:
        """Return the status as the API shows it, where a document being mailed is ready."""
        return self.Status.READY if self.status == self.Status.SENDING else self.status

    @property
    def period(self) -> tuple[date, date]:
        """Return the period's first and last day; raise ``ValueError`` where there is none."""
        if self.since is None or self.until is None:
            raise ValueError("This document is about no period.")
        return self.since, self.until

    @property
    def is_stored(self) -> bool:
        """Return whether the file is in the store."""
        return self.rendered_at is not None and self.removed_at is None
