"""Money that comes in, goes back, or is taken back, and the providers' messages about it.

These rows tell what is going on. What an invoice's balance counts are its entries only
(:mod:`billing.payments.entries`), which name one of these rows as their source.
"""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from billing.invoices.models import Document, amount
from shop.core.ids import UUIDv7

REFERENCE_MAX_LENGTH = 140
EXTERNAL_MAX_LENGTH = 255
REASON_MAX_LENGTH = 500


class Movement(models.Model):
    """What all three have. ``external_id`` is the provider's id of it, empty where there is none.

    ``created_by`` is the person who asked for it; ``None`` where the provider told of it first.
    """

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="+")
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
    )
    provider = models.CharField(max_length=20)
    external_id = models.CharField(max_length=EXTERNAL_MAX_LENGTH, blank=True)
    currency = models.CharField(max_length=3)
    amount = amount()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True
        ordering = ["-id"]

    def __str__(self) -> str:
        return str(self.pk)


class Payment(Movement):
    """A payment towards an invoice: started by somebody who wants to pay, or booked by staff.

    ``amount`` is what was asked for, and ``received`` what came in. ``reference`` is what a bank
    transfer carries or was booked under. ``action`` is what the payer has to do, once the provider
    has said it. ``session_id`` is the provider's id of what the payer sees.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELED = "canceled"

    status = models.CharField(max_length=20, choices=Status, default=Status.PENDING)
    received = amount(default=0)
    reference = models.CharField(max_length=REFERENCE_MAX_LENGTH, blank=True)
    session_id = models.CharField(max_length=EXTERNAL_MAX_LENGTH, blank=True)
    action = models.JSONField(default=dict)
    paid_on = models.DateField(null=True)
    settled_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(db_default=Now())

    class Meta(Movement.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["document"],
                condition=models.Q(status="pending"),
                name="billing_one_open_payment",
            ),
            models.UniqueConstraint(
                fields=["provider", "external_id"],
                condition=~models.Q(external_id=""),
                name="billing_one_external_payment",
            ),
            models.UniqueConstraint(
                fields=["document", "reference"],
                condition=models.Q(status="succeeded") & ~models.Q(reference=""),
                name="billing_one_booking",
            ),
            models.CheckConstraint(
                condition=models.Q(amount__gt=0, received__gte=0), name="billing_payment_amount"
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "id"], name="billing_payments_of_customer"),
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(status="pending"),
                name="billing_payments_pending",
            ),
        ]


class Refund(Movement):
    """Money that goes back to whoever paid. The row is the job of the worker that sends it.

    A worker claims it, asks the provider outside of any transaction under the refund's own
    idempotency key, and writes the outcome. ``sent_at`` is set before it asks for the first time,
    so a refund without it was certainly not sent.
    """

    class Status(models.TextChoices):
        REQUESTED = "requested"
        SUBMITTED = "submitted"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        UNKNOWN = "unknown"

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    status = models.CharField(max_length=20, choices=Status, default=Status.REQUESTED)
    reason = models.CharField(max_length=REASON_MAX_LENGTH, blank=True)
    failure = models.CharField(max_length=REASON_MAX_LENGTH, blank=True)
    sent_at = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True)

    class Meta(Movement.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "external_id"],
                condition=~models.Q(external_id=""),
                name="billing_one_external_refund",
            ),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="billing_refund_amount"),
        ]
        indexes = [
            models.Index(fields=["customer", "id"], name="billing_refunds_of_customer"),
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(status__in=["requested", "submitted", "unknown"]),
                name="billing_refunds_unsettled",
            ),
        ]


class Chargeback(Movement):
    """A payment that a bank takes back. ``opened`` and ``lost`` take the money, ``won`` gives it.

    An inquiry moves nothing. ``by_provider`` is true where the provider tells of its verdict, so
    that staff must not.
    """

    class Status(models.TextChoices):
        INQUIRY = "inquiry"
        OPENED = "opened"
        WON = "won"
        LOST = "lost"

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="chargebacks")
    status = models.CharField(max_length=20, choices=Status, default=Status.OPENED)
    by_provider = models.BooleanField(default=False)
    reason = models.CharField(max_length=REASON_MAX_LENGTH, blank=True)
    reference = models.CharField(max_length=REFERENCE_MAX_LENGTH, blank=True)
    opened_on = models.DateField(null=True)
    settled_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(db_default=Now())

    class Meta(Movement.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "external_id"],
                condition=~models.Q(external_id=""),
                name="billing_one_external_chargeback",
            ),
            models.UniqueConstraint(
                fields=["payment", "reference"],
                condition=~models.Q(reference=""),
                name="billing_one_chargeback",
            ),
            models.CheckConstraint(
                condition=models.Q(amount__gt=0), name="billing_chargeback_amount"
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "id"], name="billing_chargebacks_of"),
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(status__in=["inquiry", "opened"], by_provider=True),
                name="billing_chargebacks_open",
            ),
        ]


class ProviderEvent(models.Model):
    """A message of a provider, as the facts that were read from it.

    Messages come in any order. One about a payment that the shop does not know yet by that id waits
    with ``waits_for``, the provider's id, until another message says which payment it is.
    """

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    provider = models.CharField(max_length=20)
    event_id = models.CharField(max_length=EXTERNAL_MAX_LENGTH)
    kind = models.CharField(max_length=100)
    facts = models.JSONField(default=list)
    waits_for = models.CharField(max_length=EXTERNAL_MAX_LENGTH, blank=True)
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "event_id"], name="billing_one_provider_event"
            ),
        ]
        indexes = [
            models.Index(
                fields=["provider", "waits_for"],
                condition=~models.Q(waits_for=""),
                name="billing_events_waiting",
            ),
            models.Index(fields=["received_at"], name="billing_events_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.event_id}"
