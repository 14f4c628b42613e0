"""Coupons, and who redeemed them.

What a coupon takes off is a ``Redemption``, which is only added. The counters beside it decide who
comes too late: ``Coupon.redeemed`` where all customers together have a limit, and
``CouponCustomer.redeemed`` for each customer.
"""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from shop.core.ids import UUIDv7

CODE_MIN_LENGTH = 3
CODE_MAX_LENGTH = 40
CODE_PATTERN = rf"^[A-Z0-9-]{{{CODE_MIN_LENGTH},{CODE_MAX_LENGTH}}}$"
ITEMS_MAX = 100
LIMIT_MAX = 1_000_000_000
_ONE_SUBJECT = models.Q(document__isnull=False, purchase__isnull=True) | models.Q(
    document__isnull=True, purchase__isnull=False
)


class Coupon(models.Model):
    """A code that takes a percentage or an amount off an invoice or a purchase.

    Codes are stored in capitals. ``redeemed`` counts only while there is a ``max_redemptions``,
    because every redeemer of the coupon would wait for its row. With ``items`` it applies to these
    items only, and ``minimum`` is compared with what they cost before any discount.
    """

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    code = models.CharField(max_length=CODE_MAX_LENGTH, unique=True)
    percent = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    amount = models.DecimalField(max_digits=18, decimal_places=2, null=True)
    currency = models.CharField(max_length=3, blank=True)
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    max_redemptions = models.PositiveIntegerField(null=True)
    max_per_customer = models.PositiveIntegerField(null=True)
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
    )
    minimum = models.DecimalField(max_digits=18, decimal_places=2, null=True)
    items = models.JSONField(default=list)
    active = models.BooleanField(default=True)
    redeemed = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(code__regex=CODE_PATTERN), name="billing_coupon_code"
            ),
            models.CheckConstraint(
                condition=models.Q(percent__gt=0, percent__lte=100, amount__isnull=True)
                | models.Q(percent__isnull=True, amount__gt=0) & ~models.Q(currency=""),
                name="billing_coupon_value",
            ),
            models.CheckConstraint(
                condition=models.Q(max_redemptions__isnull=True)
                | models.Q(redeemed__lte=models.F("max_redemptions")),
                name="billing_coupon_limit",
            ),
        ]
        indexes = [
            models.Index(fields=["created_at", "id"], name="billing_coupons_by_time"),
            models.Index(
                fields=["customer", "created_at", "id"],
                condition=models.Q(customer__isnull=False),
                name="billing_coupons_by_customer",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class CouponCustomer(models.Model):
    """How many times a customer has redeemed a coupon; an account, whatever its address is now."""

    coupon = models.ForeignKey(Coupon, on_delete=models.PROTECT, related_name="+", db_index=False)
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    redeemed = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["coupon", "customer"], name="billing_one_coupon_customer"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.coupon_id} {self.customer_id} {self.redeemed}"


class Redemption(models.Model):
    """A coupon redeemed on an issued invoice, or with a purchase; never changed.

    A void of the invoice adds a row that ``releases`` it. A redemption with a purchase stays,
    because the purchase keeps its discount on the next invoice. There is no foreign key to the
    ledger, so a buy without a coupon meets nothing of this table.
    """

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    coupon = models.ForeignKey(Coupon, on_delete=models.PROTECT, related_name="redemptions")
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    document = models.ForeignKey(
        "billing.Document",
        on_delete=models.PROTECT,
        null=True,
        related_name="redemptions",
        db_index=False,
    )
    purchase = models.UUIDField(null=True)
    amount = models.DecimalField(max_digits=24, decimal_places=2)
    releases = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, related_name="released_by"
    )
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["document", "coupon"],
                condition=models.Q(releases__isnull=True),
                name="billing_one_redemption",
            ),
            models.UniqueConstraint(
                fields=["purchase", "coupon"],
                condition=models.Q(purchase__isnull=False),
                name="billing_one_purchase_redemption",
            ),
            models.CheckConstraint(condition=_ONE_SUBJECT, name="billing_redemption_subject"),
            models.CheckConstraint(
                condition=models.Q(amount__gte=0), name="billing_redemption_amount"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.coupon_id} {self.amount}"
