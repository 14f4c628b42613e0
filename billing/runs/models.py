"""Runs: invoices for all customers at once. The row of a run is the job."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from billing.invoices.models import MOMENT_MAX_LENGTH
from shop.core.ids import UUIDv7


class Run(models.Model):
    """Invoices, or drafts, for everybody who bought something that no invoice says yet.

    ``reached`` is the last account that is done; a batch of invoices and the account that it
    reached are one transaction, so a worker that is killed leaves no invoice twice. ``failures``
    name the first of those that failed.
    """

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SENDING = "sending"
        DONE = "done"

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    until = models.CharField(max_length=MOMENT_MAX_LENGTH)
    issue = models.BooleanField(default=True)
    send = models.BooleanField(default=False)
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    reached = models.BigIntegerField(default=0)
    invoices = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    sent = models.PositiveIntegerField(default=0)
    unsent = models.PositiveIntegerField(default=0)
    failures = models.JSONField(default=list)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=~models.Q(status="done"),
                name="billing_runs_waiting",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class RunInvoice(models.Model):
    """An invoice that a run has issued, and whether its mail was asked for."""

    document = models.OneToOneField(
        "billing.Document", on_delete=models.PROTECT, primary_key=True, related_name="run"
    )
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="+", db_index=False)
    waits = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["run", "document"],
                condition=models.Q(waits=True),
                name="billing_run_unsent",
            ),
        ]

    def __str__(self) -> str:
        return str(self.document_id)
