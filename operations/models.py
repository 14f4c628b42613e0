"""What is known of how the site runs."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from shop.core.ids import UUIDv7


class Instance(models.Model):
    """A process of the shop, as it reported last.

    Every time is one of the database's clock. ``users`` are the accounts with an open socket.
    ``dropped`` counts the requests that are missing in the figures, because the process could not
    keep them while PostgreSQL was away. ``totals`` are its requests and their seconds since it
    began, by route and class of status, as ``[[route, class, requests, seconds], ...]``.
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
    totals = models.JSONField(db_default=models.Value([], models.JSONField()), default=list)

    class Meta:
        indexes = [models.Index(fields=["-seen_at"], name="operations_instance_seen")]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Minute(models.Model):
    """What one process answered in a minute, by route and class of status.

    ``numbers`` are those of the buckets in ``operations.histograms``, ``counts`` their requests.
    ``run`` tells minutes apart that came twice, because the clock was set back.
    """

    pk = models.CompositePrimaryKey("minute", "instance_id", "run", "route", "status_class")
    minute = models.DateTimeField()
    instance_id = models.UUIDField()
    run = models.SmallIntegerField()
    route = models.CharField(max_length=200)
    status_class = models.SmallIntegerField()
    requests = models.BigIntegerField()
    seconds = models.FloatField()
    numbers = ArrayField(models.SmallIntegerField())
    counts = ArrayField(models.BigIntegerField())

    def __str__(self) -> str:
        return f"{self.route} {self.minute}"


class Presence(models.Model):
    """That a process lived in a minute, so that a minute without requests is no gap.

    ``users`` are the accounts that had a socket open when the process reported last.
    """

    pk = models.CompositePrimaryKey("minute", "instance_id")
    minute = models.DateTimeField()
    instance_id = models.UUIDField()
    kind = models.CharField(max_length=20)
    sockets = models.IntegerField()
    users = ArrayField(models.BigIntegerField())

    def __str__(self) -> str:
        return f"{self.kind} {self.minute}"


class Hour(models.Model):
    """What all processes answered in an hour: the sum of their minutes."""

    pk = models.CompositePrimaryKey("hour", "route", "status_class")
    hour = models.DateTimeField()
    route = models.CharField(max_length=200)
    status_class = models.SmallIntegerField()
    requests = models.BigIntegerField()
    seconds = models.FloatField()
    numbers = ArrayField(models.SmallIntegerField())
    counts = ArrayField(models.BigIntegerField())

    def __str__(self) -> str:
        return f"{self.route} {self.hour}"


class ObservedHour(models.Model):
    """How many minutes of an hour were observed, and what its other figures were.

    ``users`` and ``instances`` are the most in a minute.
    """

    hour = models.DateTimeField(primary_key=True)
    minutes = models.SmallIntegerField()
    users = models.IntegerField()
    instances = models.IntegerField()
    signed_in = models.IntegerField()
    signed_out = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.hour}"


class SessionEvent(models.Model):
    """That somebody signed in or out, or that a sign-in expired or was revoked."""

    class Kind(models.TextChoices):
        """What happened."""

        SIGNED_IN = "signed_in"
        SIGNED_OUT = "signed_out"
        EXPIRED = "expired"
        REVOKED = "revoked"

    pk = models.CompositePrimaryKey("at", "id")
    at = models.DateTimeField(db_default=Now())
    id = models.UUIDField(db_default=UUIDv7(), editable=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    user_id = models.BigIntegerField(null=True)
    channel = models.CharField(max_length=20)

    class Meta:
        indexes = [models.Index(fields=["kind", "at"], name="operations_session_kind")]

    def __str__(self) -> str:
        return f"{self.kind} {self.at}"


class Deploy(models.Model):
    """That another version began to serve. ``by`` says who or what brought it."""

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    version = models.CharField(max_length=100)
    started_at = models.DateTimeField(db_default=Now(), db_index=True)
    finished_at = models.DateTimeField(null=True)
    by = models.CharField(max_length=200, blank=True)
    notes = models.TextField(max_length=2000, blank=True)

    class Meta:
        ordering = ["-started_at", "-id"]

    def __str__(self) -> str:
        return self.version
