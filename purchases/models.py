"""The ledger."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from shop.core.ids import UUIDv7

ITEM_MAX_LENGTH = 200
QUANTITY_MAX = 1_000_000
PRICE_MAX_DIGITS = 12
PRICE_DECIMAL_PLACES = 2


class Purchase(models.Model):
    """One line of the ledger: a customer bought a quantity of an item at a price per unit.

    Only :func:`purchases.services.record_purchases` adds rows, and none is ever changed.
    ``dedupe_key`` is a digest of the caller and its idempotency key, or of the content. Its unique
    index makes a repeated purchase the same purchase. ``fingerprint`` is a digest of the content of
    a request with an idempotency key.

    There are no foreign keys to accounts, because they would be a quarter of the work. The
    statement that writes a purchase finds both accounts, and a trigger keeps every account.
    """

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="purchases",
        db_index=False,
        db_constraint=False,
    )
    item = models.CharField(max_length=ITEM_MAX_LENGTH, blank=True)
    quantity = models.PositiveIntegerField(default=1)
    price = models.DecimalField(max_digits=PRICE_MAX_DIGITS, decimal_places=PRICE_DECIMAL_PLACES)
    currency = models.CharField(max_length=3)
    timestamp = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    dedupe_key = models.UUIDField(unique=True)
    fingerprint = models.UUIDField(null=True)

    class Meta:
        ordering = ["-timestamp", "-id"]
        indexes = [
            models.Index(fields=["timestamp", "id"], name="purchases_by_time"),
            models.Index(fields=["customer", "timestamp", "id"], name="purchases_by_customer"),
            models.Index(fields=["item", "timestamp", "id"], name="purchases_by_item"),
            models.Index(
                fields=["customer", "item", "timestamp", "id"], name="purchases_by_customer_item"
            ),
            # Without this index PostgreSQL would search all purchases for a rare price.
            models.Index(fields=["price", "timestamp", "id"], name="purchases_by_price"),
            models.Index(
                fields=["customer", "price", "timestamp", "id"], name="purchases_by_customer_price"
            ),
            # For client programs that read back their purchases. A customer's own purchases are not
            # in it.
            models.Index(
                fields=["recorded_by", "timestamp", "id"],
                condition=~models.Q(recorded_by=models.F("customer")),
                name="purchases_by_recorder",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(quantity__gte=1, quantity__lte=QUANTITY_MAX),
                name="purchases_quantity_range",
            ),
            models.CheckConstraint(condition=models.Q(price__gte=0), name="purchases_price_range"),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def total(self) -> Decimal:
        """Return price times quantity, with two decimals."""
        return self.price * self.quantity


class Upload(models.Model):
    """A successful bulk request with an ``Idempotency-Key``.

    ``key`` is a digest of the caller and its key, ``body`` one of the body and the options. The row
    stays as long as its purchases, because a key never means another request.
    """

    key = models.UUIDField(primary_key=True)
    body = models.UUIDField()
    received_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return str(self.pk)
