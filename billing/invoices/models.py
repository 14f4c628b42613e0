"""Drafts, and what becomes of them: documents in series, which nobody changes.

A document is an invoice or a credit note. Its row, its lines and its taxes are only added. What
changes about it, what is paid and credited, is its ``Balance``, the sums of its entries.
"""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from shop.core.ids import UUIDv7

LABEL_MAX_LENGTH = 40
LINES_MAX = 5000
MOMENT_MAX_LENGTH = 40
FIRST_PREVIOUS = bytes(32)
"""``previous_hash`` of the first document of a series."""


def amount(**options: object) -> "models.DecimalField":
    """Return a column of money. Signs live in the kind of a row, so none is negative."""
    return models.DecimalField(max_digits=24, decimal_places=2, **options)  # type: ignore[arg-type]


class Kind(models.TextChoices):
    """What a document is."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class Series(models.Model):
    """The counter of one kind of documents in one year, such as ``INV-2026``.

    Who issues a document locks the row, so the numbers have no gaps and the dates never go back. A
    restore opens a new ``generation`` (``INV-2026-R1``), because the numbers given out after the
    backup are on paper.
    """

    code = models.CharField(primary_key=True, max_length=LABEL_MAX_LENGTH)
    kind = models.CharField(max_length=20, choices=Kind)
    year = models.PositiveSmallIntegerField()
    generation = models.PositiveSmallIntegerField(default=0)
    next_number = models.PositiveIntegerField(default=1)
    last_hash = models.BinaryField(default=FIRST_PREVIOUS)
    last_issued_on = models.DateField(null=True)

    class Meta:
        verbose_name_plural = "series"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "year", "generation"], name="billing_one_series"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Draft(models.Model):
    """An invoice that is not issued yet, with everything that it will say in ``content``.

    ``request`` is what was asked for. Issuing the draft takes ``content`` as it is, so what was
    previewed is issued; the document then has the draft's id, and the draft is deleted.
    """

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    currency = models.CharField(max_length=3)
    request = models.JSONField(default=dict)
    content = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["customer", "id"], name="billing_drafts_by_customer")]

    def __str__(self) -> str:
        return str(self.pk)


class Document(models.Model):
    """An issued invoice or credit note.

    ``canonical`` are the bytes that PDF and XML are rendered from (:mod:`billing.content`).
    ``hash`` is ``sha256(previous_hash || canonical)``. A foreign key to number - 1 of the same
    series and its hash makes a gap or a broken chain impossible; the migration adds it.
    """

    Kind = Kind

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    series = models.ForeignKey(
        Series, on_delete=models.PROTECT, related_name="documents", db_column="series"
    )
    number = models.PositiveIntegerField()
    label = models.CharField(max_length=LABEL_MAX_LENGTH, unique=True)
    kind = models.CharField(max_length=20, choices=Kind)
    corrects = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="credit_notes"
    )
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    currency = models.CharField(max_length=3)
    exponent = models.PositiveSmallIntegerField()
    issued_on = models.DateField()
    issued_at = models.DateTimeField(db_default=Now())
    due_on = models.DateField(null=True)
    prices_include_tax = models.BooleanField()
    net = amount()
    tax = amount()
    total = amount()
    canonical = models.BinaryField()
    previous_hash = models.BinaryField()
    hash = models.BinaryField(unique=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["series", "number"], name="billing_one_number"),
            models.UniqueConstraint(fields=["series", "number", "hash"], name="billing_chain"),
            models.CheckConstraint(condition=models.Q(number__gte=1), name="billing_number"),
            models.CheckConstraint(
                condition=models.Q(net__gte=0, tax__gte=0, total=models.F("net") + models.F("tax")),
                name="billing_total",
            ),
            models.CheckConstraint(
                condition=models.Q(kind=Kind.CREDIT_NOTE, corrects__isnull=False)
                | models.Q(kind=Kind.INVOICE, corrects__isnull=True),
                name="billing_corrects",
            ),
        ]
        indexes = [
            models.Index(fields=["kind", "id"], name="billing_by_kind"),
            models.Index(fields=["customer", "kind", "id"], name="billing_by_customer"),
            models.Index(fields=["issued_on", "id"], name="billing_by_day"),
        ]

    def __str__(self) -> str:
        return self.label


class Line(models.Model):
    """A line of a document. ``credits`` is the line of the invoice that a credit note's corrects.

    There is no foreign key to the ledger, because ``Claim`` and ``verify_billing`` check it.
    """

    document = models.ForeignKey(
        Document, on_delete=models.PROTECT, related_name="lines", db_index=False
    )
    position = models.PositiveIntegerField()
    purchase = models.UUIDField(null=True)
    text = models.CharField(max_length=200, blank=True)
    quantity = models.PositiveIntegerField()
    price = amount()
    gross = amount()
    discount = amount()
    net = amount()
    tax_category = models.CharField(max_length=2)
    tax_rate = models.DecimalField(max_digits=5, decimal_places=2)
    credits = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="credited_by"
    )

    class Meta:
        ordering = ["document", "position"]
        constraints = [
            models.UniqueConstraint(fields=["document", "position"], name="billing_one_position"),
            models.CheckConstraint(
                condition=models.Q(gross__gte=0, net__gte=0, discount__gte=0)
                & models.Q(discount__lte=models.F("gross")),
                name="billing_line_amounts",
            ),
        ]
        indexes = [
            models.Index(
                fields=["purchase"],
                condition=models.Q(purchase__isnull=False),
                name="billing_lines_by_purchase",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document_id} {self.position}"


class Tax(models.Model):
    """The tax of a document at one rate."""

    document = models.ForeignKey(
        Document, on_delete=models.PROTECT, related_name="taxes", db_index=False
    )
    category = models.CharField(max_length=2)
    rate = models.DecimalField(max_digits=5, decimal_places=2)
    net = amount()
    tax = amount()

    class Meta:
        verbose_name_plural = "taxes"
        constraints = [
            models.UniqueConstraint(
                fields=["document", "category", "rate"], name="billing_one_tax"
            ),
            models.CheckConstraint(
                condition=models.Q(net__gte=0, tax__gte=0), name="billing_tax_amounts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document_id} {self.category} {self.rate}"


class Claim(models.Model):
    """The one invoice that a purchase is on. A void invoice gives its purchases back."""

    purchase = models.UUIDField(primary_key=True)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="claims")

    def __str__(self) -> str:
        return str(self.purchase)


class Balance(models.Model):
    """What is still owed on an invoice: the sums of its entries, kept beside them.

    Whoever writes an entry locks this row, because the application may not lock a document.
    ``refunded`` has the refunds under way and of unknown outcome, too.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        PARTIALLY_PAID = "partially_paid"
        PAID = "paid"
        VOID = "void"

    document = models.OneToOneField(
        Document, on_delete=models.PROTECT, primary_key=True, related_name="balance"
    )
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    status = models.CharField(max_length=20, choices=Status, default=Status.OPEN)
    currency = models.CharField(max_length=3)
    due_on = models.DateField(null=True)
    total = amount()
    credited = amount(default=0)
    paid = amount(default=0)
    refunded = amount(default=0)
    charged_back = amount(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(credited__lte=models.F("total"), credited__gte=0)
                & models.Q(paid__gte=0, refunded__gte=0, charged_back__gte=0),
                name="billing_balance",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "document"], name="billing_balances_by_status"),
            models.Index(fields=["customer", "document"], name="billing_balances_of_customer"),
        ]

    def __str__(self) -> str:
        return str(self.document_id)


class Entry(models.Model):
    """One movement of an invoice's balance, never changed; a reversal is an entry of its own.

    ``source`` is the id of what moved it, such as a payment. A source has one entry of a kind, so a
    message that arrives twice moves nothing twice.
    """

    class Kind(models.TextChoices):
        ISSUED = "issued"
        CREDITED = "credited"
        PAID = "paid"
        PAYMENT_REVERSED = "payment_reversed"
        REFUNDED = "refunded"
        REFUND_REVERSED = "refund_reversed"
        CHARGED_BACK = "charged_back"
        CHARGEBACK_REVERSED = "chargeback_reversed"

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="entries")
    kind = models.CharField(max_length=20, choices=Kind)
    source = models.UUIDField()
    amount = amount()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "entries"
        constraints = [
            models.UniqueConstraint(fields=["source", "kind"], name="billing_one_entry"),
            models.CheckConstraint(condition=models.Q(amount__gte=0), name="billing_entry_amount"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"
