"""Entries of the audit: first waiting, then sealed into a chain; personal details lie beside it."""

from django.db import models
from django.db.models.functions import Now

from shop.core.ids import UUIDv7
from shop.core.sealing import SealedColumn

FIRST_PREVIOUS = "0" * 64
"""``previous`` of the first entry."""


class _Recorded(models.Model):
    """What ``record`` wrote. The accounts are ids without foreign keys, so no erasure cascades.

    ``account_id`` is the account that the entry is about. ``commitment`` is the digest of the
    personal details, or empty.
    """

    at = models.DateTimeField(db_default=Now())
    action = models.CharField(max_length=60)
    actor_id = models.BigIntegerField(null=True)
    account_id = models.BigIntegerField(null=True)
    object = models.CharField(max_length=120)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    credential = models.CharField(max_length=120)
    request_id = models.CharField(max_length=64)
    commitment = models.CharField(max_length=64)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.action} {self.object}"


class Waiting(_Recorded):
    """An entry that is not sealed yet, written in the transaction of the change.

    The database refuses to change one, and to delete one before it is sealed.
    """

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)

    class Meta:
        verbose_name = "entry that is not sealed yet"
        verbose_name_plural = "entries that are not sealed yet"


class Entry(_Recorded):
    """An entry of the chain. Only the sealer adds rows, and ``seq`` has no gaps.

    ``hash`` is the digest of everything else but ``key``, and ``previous`` is the hash of the entry
    before; see ``audit.chain``.
    """

    seq = models.BigIntegerField(primary_key=True)
    key = models.UUIDField(db_column="id", unique=True)
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-seq"]
        verbose_name_plural = "entries"
        indexes = [
            models.Index(fields=["actor_id", "seq"], name="audit_by_actor"),
            models.Index(fields=["account_id", "seq"], name="audit_by_account"),
            models.Index(fields=["action", "seq"], name="audit_by_action"),
            models.Index(fields=["object", "seq"], name="audit_by_object"),
            models.Index(fields=["at"], name="audit_by_time"),
        ]


class Detail(models.Model):
    """The personal details of an entry, sealed for the account that the entry is about.

    An erasure deletes them. The chain holds only a salted digest, and the salt is among them.
    """

    id = models.UUIDField(primary_key=True)
    # 0 stands for no account, because each sealed text is sealed for one.
    account_id = models.BigIntegerField()
    actor_id = models.BigIntegerField(null=True)
    sealed = models.TextField()

    class Meta:
        indexes = [
            models.Index(fields=["account_id"], name="audit_details_by_account"),
            models.Index(fields=["actor_id"], name="audit_details_by_actor"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Checkpoint(models.Model):
    """A signed note of how far the chain reached, made with each batch that was sealed."""

    seq = models.BigIntegerField()
    note = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["seq"], name="audit_checkpoints_by_seq")]

    def __str__(self) -> str:
        return str(self.seq)


COLUMN = "audit_detail.sealed"
SEALED = (SealedColumn(COLUMN, "audit_detail", "sealed", account="account_id"),)
