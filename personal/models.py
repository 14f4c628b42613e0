"""Erasures, what holds them up, and the names that nobody may take after them."""

from django.db import models
from django.db.models.functions import Now

from shop.core.ids import UUIDv7
from shop.core.sealing import SealedColumn

REASON_MAX_LENGTH = 500


class Erasure(models.Model):
    """That an account is to be erased, or was. The row is the job; see ``personal.erasing``.

    There are no foreign keys, because the row stays. ``work`` is sealed; it tells what is left to
    delete outside the database, and is emptied with ``done_at``.
    """

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    account_id = models.BigIntegerField(db_index=True)
    # Who asked for it: the person, an admin, or nobody after a restore.
    requested_by_id = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=REASON_MAX_LENGTH, blank=True)
    requested_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    work = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account_id"],
                condition=models.Q(cancelled_at=None),
                name="personal_erasure_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(cancelled_at=None, done_at=None),
                name="personal_erasure_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Hold(models.Model):
    """That an account must not be erased for now, because the law asks for its data."""

    account_id = models.BigIntegerField(primary_key=True)
    reason = models.CharField(max_length=REASON_MAX_LENGTH)
    placed_by_id = models.BigIntegerField(null=True)
    placed_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return str(self.pk)


class Tombstone(models.Model):
    """A name that nobody may have until ``until``, because somebody who was erased had it.

    ``digest`` is a digest of the name with the key of ``Pepper``, so that nobody who has the table
    only can tell the name.
    """

    digest = models.BinaryField(primary_key=True, max_length=32)
    until = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return bytes(self.digest).hex()[:12]


class Pepper(models.Model):
    """The one key of the digests of names, sealed."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    sealed = models.TextField()

    def __str__(self) -> str:
        return str(self.pk)


WORK = "personal_erasure.work"
PEPPER = "personal_pepper.sealed"
SEALED = (
    SealedColumn(name=WORK, table="personal_erasure", column="work", account="account_id"),
    SealedColumn(name=PEPPER, table="personal_pepper", column="sealed", account="id"),
)
