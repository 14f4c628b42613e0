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
    """One line of the ledger: somebody bought a quantity of an item at a price per unit.

    Rows are only ever added, by :func:`purchases.services.record_purchases`. ``dedupe_key`` is a
    digest of either the caller and its idempotency key, or of the content; its unique index is
    what makes a repeated purchase the same purchase. ``fingerprint`` is a digest of the request
    that came with an idempotency key.

    The statement that writes a purchase has just found both accounts, and a trigger keeps every
    account, so no foreign key looks for them again; that would be a quarter of the work.
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
            # Without it a price that few purchases have would be looked for in all of them.
            models.Index(fields=["price", "timestamp", "id"], name="purchases_by_price"),
            models.Index(
                fields=["customer", "price", "timestamp", "id"], name="purchases_by_customer_price"
            ),
            # What a client program reads back. Who buys for itself pays nothing for it.
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
    """A bulk request that came with an ``Idempotency-Key``, and was carried out.

    ``key`` is a digest of the caller and its key, ``body`` one of all that the request asked for.
    It is kept as long as its purchases: a key never means another request.
    """

    key = models.UUIDField(primary_key=True)
    body = models.UUIDField()
    received_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return str(self.pk)
