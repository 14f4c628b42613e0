"""What is known of how the site runs."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class Instance(models.Model):
    """A process of the shop, as it reported last.

    Every time is one of the database's clock. ``users`` are the accounts with an open socket.
    ``dropped`` counts the requests that are missing in the figures, because the process could not
    keep them while PostgreSQL was away.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=20)
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    version = models.CharField(max_length=100)
    settings_version = models.BigIntegerField(null=True)
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True)
    sockets = models.IntegerField(default=0)
    memory = models.BigIntegerField(default=0)
    users = ArrayField(models.BigIntegerField(), default=list)
    dropped = models.BigIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["-seen_at"], name="operations_instance_seen")]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"
