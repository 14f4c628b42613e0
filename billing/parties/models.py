"""Who buys: the profile that a customer keeps, and the copy that an issued document keeps."""

from django.conf import settings
from django.db import models

from billing.parties.vat_ids import VAT_ID_MAX_LENGTH
from shop.core.sealing import SealedColumn

NAME_MAX_LENGTH = 200
ADDRESS_MAX_LENGTH = 500


class Profile(models.Model):
    """The name, the address and the VAT id that an account's next invoice shows.

    A worker asks VIES about the VAT id when ``vat_next_check_at`` comes, and gives up at
    ``vat_check_until``. ``None`` means that there is nothing to ask.
    """

    class VatCheck(models.TextChoices):
        VALID = "valid"
        INVALID = "invalid"
        UNCHECKED = "unchecked"

    account = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, primary_key=True, related_name="+"
    )
    name = models.CharField(max_length=NAME_MAX_LENGTH, blank=True)
    address = models.CharField(max_length=ADDRESS_MAX_LENGTH, blank=True)
    country = models.CharField(max_length=2, blank=True)
    vat_id = models.CharField(max_length=VAT_ID_MAX_LENGTH, blank=True)
    vat_check = models.CharField(max_length=20, choices=VatCheck, default=VatCheck.UNCHECKED)
    vat_checked_at = models.DateTimeField(null=True)
    vat_next_check_at = models.DateTimeField(null=True)
    vat_check_until = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["vat_next_check_at"],
                condition=models.Q(vat_next_check_at__isnull=False),
                name="billing_vat_ids_to_check",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Party(models.Model):
    """The buyer as a document names them, sealed beside the document.

    The document's canonical bytes have only a salted digest, and the salt is in here. So the chain
    stays whole when an erasure deletes the row.
    """

    document = models.OneToOneField(
        "billing.Document", on_delete=models.PROTECT, primary_key=True, related_name="party"
    )
    account_id = models.BigIntegerField(db_index=True)
    sealed = models.TextField()

    class Meta:
        verbose_name_plural = "parties"

    def __str__(self) -> str:
        return str(self.pk)


COLUMN = "billing_party.sealed"
SEALED = (SealedColumn(COLUMN, "billing_party", "sealed", account="account_id", key="document_id"),)
