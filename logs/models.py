"""The lines of the log, copied from every process."""

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.functions import Now

from logs.levels import Kept


class Entry(models.Model):
    """A line of the log. The shipper adds it, and its partition is dropped when it is old.

    ``uuid`` was made by the process that wrote the line, so a line that is sent twice is one row.
    """

    pk = models.CompositePrimaryKey("at", "uuid", "kept")
    at = models.DateTimeField(db_default=Now())
    uuid = models.UUIDField(db_column="id")
    kept = models.CharField(max_length=7, choices=Kept.choices, db_default=Kept.INFO)
    level = models.SmallIntegerField()
    part = models.TextField()
    instance = models.TextField()
    logger = models.TextField()
    event = models.TextField()
    message = models.TextField()
    request_id = models.TextField()
    user_id = models.BigIntegerField(null=True)
    fields = models.JSONField()
    # The words of all of it, which the process makes, because PostgreSQL's parser takes
    # `purchase.recorded` for the name of a host.
    words = SearchVectorField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["request_id"], name="logs_entry_request",
                condition=~models.Q(request_id=""),
            ),
            models.Index(
                fields=["user_id", "at"], name="logs_entry_user",
                condition=models.Q(user_id__isnull=False),
            ),
            GinIndex(fields=["words"], name="logs_entry_words"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.event}"
