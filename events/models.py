"""The outbox, and the event log that the relay moves it to."""

from django.conf import settings
from django.db import models
from django.utils import timezone

PURCHASE_RECORDED = 1
"""The outbox's default type, because most events are recorded purchases."""


class TransactionId(models.Func):
    """The id of the writing transaction. Later transactions have larger ids."""

    template = "txid_current()"
    output_field = models.BigIntegerField()


class Outbox(models.Model):
    """An event without a position, written in the transaction of the change that it reports.

    ``key`` names the event; that of a recorded purchase is the purchase's id. ``type`` is the
    number of a declared type. ``recorder_id`` is the client program that recorded it for the
    customer, and reads it too; below 0 it is the team that the event is about. Without a
    ``payload`` the type's loader finds the data by the keys.

    The table has no primary key in PostgreSQL, though Django assumes one. A key would cost a
    purchase more than the rest of its event. ``xid`` has a block range index (BRIN), which costs an
    insert almost nothing. With it the relay skips the rows that it has moved before.
    """

    key = models.UUIDField(db_column="id", primary_key=True)
    type = models.SmallIntegerField(db_default=PURCHASE_RECORDED)
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
        null=True,
    )
    recorder_id = models.BigIntegerField(null=True)
    payload = models.JSONField(null=True)
    xid = models.BigIntegerField(db_default=TransactionId())

    class Meta:
        verbose_name = "event without a position"
        verbose_name_plural = "outbox"

    def __str__(self) -> str:
        return str(self.key)


class Event(models.Model):
    """One entry of the event log. Rows are only ever added, by the relay, in order.

    ``at`` is when the event was written, to the millisecond, as its key says.
    """

    position = models.BigIntegerField(primary_key=True)
    key = models.UUIDField(db_column="id", unique=True)
    type = models.SmallIntegerField()
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
        null=True,
    )
    recorder_id = models.BigIntegerField(null=True)
    payload = models.JSONField(null=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["position"]
        indexes = [
            models.Index(fields=["customer", "position"], name="events_by_customer"),
            models.Index(
                fields=["recorder_id", "position"],
                condition=models.Q(recorder_id__isnull=False),
                name="events_by_recorder",
            ),
            # Finds rare types among many purchases, which are not in this index.
            models.Index(
                fields=["type", "position"],
                condition=models.Q(type__gt=PURCHASE_RECORDED),
                name="events_by_type",
            ),
            models.Index(
                fields=["customer", "type", "position"],
                condition=models.Q(type__gt=PURCHASE_RECORDED),
                name="events_by_customer_and_type",
            ),
        ]

    def __str__(self) -> str:
        return str(self.position)


class FollowerCursor(models.Model):
    """A follower's cursor in the log. The process that has locked the row leads.

    A batch that fails leaves ``position`` where it is. The row then says since when the batch
    fails, and when it is retried.

    ``version`` is that of the derived data which readers see. During a rebuild ``next_version``
    follows the log from position 0, and is at ``next_position``. ``has_leftovers`` says that rows
    of other versions wait for their removal.
    """

    NAME_MAX_LENGTH = 64
    REASON_MAX_LENGTH = 100

    name = models.CharField(max_length=NAME_MAX_LENGTH, primary_key=True)
    position = models.BigIntegerField(default=0)
    moved_at = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=REASON_MAX_LENGTH, blank=True)
    version = models.IntegerField(default=0, db_default=0)
    next_version = models.IntegerField(null=True)
    next_position = models.BigIntegerField(null=True)
    has_leftovers = models.BooleanField(default=False, db_default=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def move_to(self, position: int) -> None:
        """Note that everything up to the position is applied, and clear the failures."""
        self.position = position
        self.moved_at = timezone.now()
        self.failures, self.reason = 0, ""
        self.failing_since = self.retry_at = None
        self.save(
            update_fields=[
                "position",
                "moved_at",
                "failures",
                "failing_since",
                "retry_at",
                "reason",
            ]
        )

    def begin_version(self) -> None:
        """Begin a new version of the derived data at position 0, instead of an unfinished one."""
        self.next_version = max(self.version, self.next_version or 0) + 1
        self.next_position = 0
        self.has_leftovers = True
        self.save(update_fields=["next_version", "next_position", "has_leftovers"])

    def move_next_to(self, position: int) -> None:
        """Note how far the next version is. It becomes the version as soon as it is as far."""
        if position >= self.position and self.next_version is not None:
            self.version, self.next_version, self.next_position = self.next_version, None, None
        else:
            self.next_position = position
        self.save(update_fields=["version", "next_version", "next_position"])

    def note_leftovers(self, is_left: bool) -> None:
        """Note whether rows of other versions wait for their removal."""
        self.has_leftovers = is_left
        self.save(update_fields=["has_leftovers"])
