"""Documents. The row is the job: a Celery message only says that it is there."""

from datetime import date

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from shop.core.ids import UUIDv7


class Document(models.Model):
    """A file that is rendered, stored and mailed to its account, and how far it has come.

    What it is about is for its ``kind`` to say (:mod:`documents.kinds`): by its period, by
    ``parameters``, or by its id alone.

    A worker takes a document with a conditional update that writes a ``claim`` and renews
    ``claimed_at`` while it renders; a claim that is no longer renewed is given to another.
    ``SENDING`` is different: a mail that may have gone out is never sent again. Such a document
    fails with its ``claim`` kept; a failed document without a claim was certainly not mailed.
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
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="documents", db_index=False
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
    # When the file was removed because its time was over. It may still be there for a moment.
    removed_at = models.DateTimeField(null=True)

    class Meta:
        # The table's name and its indexes' are from when reports were the only documents.
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
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def public_status(self) -> str:
        """Return the status as the outside sees it; being mailed is part of being ready."""
        return self.Status.READY if self.status == self.Status.SENDING else self.status

    @property
    def period(self) -> tuple[date, date]:
        """Return its first and its last day; raise ``ValueError`` where it is about no period."""
        if self.since is None or self.until is None:
            raise ValueError("This document is about no period.")
        return self.since, self.until

    @property
    def is_stored(self) -> bool:
        """Return whether the file can be had."""
        return self.rendered_at is not None and self.removed_at is None
