"""Tax rates, each from a day on, and which items have another code than most."""

from django.db import models
from django.db.models.functions import Now

CODE_MAX_LENGTH = 40


class TaxRate(models.Model):
    """A rate from ``valid_from`` until the next one of the same code begins.

    ``category`` is one of EN 16931 (UNTDID 5305): S, Z, E, AE, K, G, O, L or M.
    """

    code = models.CharField(max_length=CODE_MAX_LENGTH)
    category = models.CharField(max_length=2)
    rate = models.DecimalField(max_digits=5, decimal_places=2)
    valid_from = models.DateField()
    exemption = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["code", "-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["code", "valid_from"], name="billing_one_rate"),
            models.CheckConstraint(
                condition=models.Q(rate__gte=0, rate__lte=100), name="billing_rate_range"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.rate}"


class ItemTax(models.Model):
    """The code of an item that is not taxed like most."""

    item = models.CharField(unique=True, max_length=200)
    code = models.CharField(max_length=CODE_MAX_LENGTH)

    def __str__(self) -> str:
        return self.item
