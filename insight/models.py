"""Roll-ups of the ledger: sums of purchases, which the follower of ``insight.statistics`` keeps.

Each table has its rows in versions; see ``events.followers``. Every sum can be made anew from the
ledger, and ``manage.py verify_ledger`` compares them.
"""

from django.db import models

from purchases.models import ITEM_MAX_LENGTH

SLOT_SECONDS = 900
"""The length of a slot. From 1979-10-01 on, the offset of every time zone is a multiple of it."""


class Sums(models.Model):
    """What purchases have in common: how many there are, how many pieces, and their amount."""

    version = models.IntegerField()
    currency = models.CharField(max_length=3)
    purchases = models.BigIntegerField()
    quantity = models.BigIntegerField()
    revenue = models.DecimalField(max_digits=30, decimal_places=2)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.pk)


class SalesSlot(Sums):
    """The purchases of a quarter of an hour; ``slot`` is its first moment."""

    pk = models.CompositePrimaryKey("version", "slot", "currency")
    slot = models.DateTimeField()

    class Meta:
        db_table = "insight_slot"


class ItemDay(Sums):
    """The purchases of an item on a day of UTC."""

    pk = models.CompositePrimaryKey("version", "item", "day", "currency")
    item = models.CharField(max_length=ITEM_MAX_LENGTH, blank=True)
    day = models.DateField()

    class Meta:
        db_table = "insight_item_day"
        indexes = [models.Index(fields=["version", "day"], name="insight_items_by_day")]


class CustomerDay(Sums):
    """The purchases of a customer on a day of UTC."""

    # An index scan of a period finds its customers without a look at the rows.
    pk = models.CompositePrimaryKey("version", "day", "currency", "customer_id")
    customer_id = models.BigIntegerField()
    day = models.DateField()

    class Meta:
        db_table = "insight_customer_day"


class CustomerSum(Sums):
    """All purchases of a customer, with the times of the first and the last."""

    pk = models.CompositePrimaryKey("version", "customer_id", "currency")
    customer_id = models.BigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        db_table = "insight_customer"
        indexes = [models.Index(fields=["version", "first_at"], name="insight_customers_by_first")]
