"""Reports. The row is the job: a Celery message only says that it is there."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from shop.core.ids import UUIDv7


class Report(models.Model):
    """A PDF about the purchases of a period, and how far it has come.

    A worker takes a report with a conditional update that writes a ``claim`` and renews
    ``claimed_at`` while it renders; a claim that is no longer renewed is given to another.
    ``SENDING`` is different: a mail that may have gone out is never sent again. Such a report
    fails with its ``claim`` kept; a failed report without a claim was certainly not mailed.
    """

    class Kind(models.TextChoices):
        STATEMENT = "statement"
        SALES = "sales"

    class Status(models.TextChoices):
        QUEUED = "queued"
        RENDERING = "rendering"
        READY = "ready"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    kind = models.CharField(max_length=20, choices=Kind)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reports", db_index=False
    )
    since = models.DateField()
    until = models.DateField()
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
    pdf = models.FileField(max_length=200, blank=True)
    pages = models.PositiveIntegerField(null=True)
    size = models.PositiveBigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)
    # When the PDF was removed because its time was over.
    removed_at = models.DateTimeField(null=True)

    class Meta:
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
    def has_pdf(self) -> bool:
        """Return whether the PDF is stored."""
        return self.rendered_at is not None and self.removed_at is None

    @property
    def message_id(self) -> str:
        """Return the Message-ID of the one mail, the same at every attempt."""
        return f"<report-{self.pk}@scalable-shop>"
