"""Money that a bank says has come, known again by the bank's own reference."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from billing.invoices.models import amount
from billing.payments.bank_statements.lines import (
    ACCOUNT_MAX_LENGTH,
    PAYER_MAX_LENGTH,
    REFERENCE_MAX_LENGTH,
    TEXT_MAX_LENGTH,
)
from billing.payments.models import REASON_MAX_LENGTH, Payment
from shop.core.ids import UUIDv7


class BankCredit(models.Model):
    """A credit of a bank's statement. It was booked as a payment, or waits for somebody.

    ``identity`` is the digest of what makes it one, so a statement that comes twice books nothing
    twice. Who paid, and what for, is kept only while it is not booked. ``why`` says why it waits.
    """

    class Status(models.TextChoices):
        WAITING = "waiting"
        BOOKED = "booked"
        SET_ASIDE = "set_aside"

    class Why(models.TextChoices):
        NO_REFERENCE = "no_reference"
        UNKNOWN = "unknown_invoice"
        SEVERAL = "several_invoices"
        AMOUNT = "other_amount"
        CURRENCY = "other_currency"
        REFERENCE = "reference_used"

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    identity = models.CharField(max_length=64, unique=True)
    account = models.CharField(max_length=ACCOUNT_MAX_LENGTH)
    bank_reference = models.CharField(max_length=REFERENCE_MAX_LENGTH, blank=True)
    booked_on = models.DateField()
    currency = models.CharField(max_length=3)
    amount = amount()
    reference = models.CharField(max_length=REFERENCE_MAX_LENGTH, blank=True)
    text = models.CharField(max_length=TEXT_MAX_LENGTH, blank=True)
    payer = models.CharField(max_length=PAYER_MAX_LENGTH, blank=True)
    status = models.CharField(max_length=20, choices=Status, default=Status.WAITING)
    why = models.CharField(max_length=20, choices=Why, blank=True)
    reason = models.CharField(max_length=REASON_MAX_LENGTH, blank=True)
    payment = models.OneToOneField(
        Payment, on_delete=models.PROTECT, null=True, related_name="bank_credit"
    )
    imported_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="billing_bank_amount"),
            models.CheckConstraint(
                condition=models.Q(status="booked", payment__isnull=False)
                | (~models.Q(status="booked") & models.Q(payment__isnull=True)),
                name="billing_bank_credit_booked",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(status="waiting"),
                name="billing_bank_waiting",
            ),
        ]

    def __str__(self) -> str:
        return self.bank_reference or str(self.pk)
