"""Endpoints, the deliveries to them, and the attempts of each delivery."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from shop.core.ids import UUIDv7

URL_MAX_LENGTH = 2000
RESPONSE_MAX_LENGTH = 1000
BATCH_MAX = 500


class Endpoint(models.Model):
    """An address outside that is told of events, and its cursor in the log.

    Everything up to ``position`` was delivered, or is not for this endpoint. The deliverer that has
    set ``claim`` serves it, as long as it renews ``claimed_at``. ``retry_at`` is when a receiver
    that failed is asked again. ``secret`` and ``previous_secret`` are sealed.
    """

    class State(models.TextChoices):
        ACTIVE = "active"
        DISABLED = "disabled"

    class Reason(models.TextChoices):
        """Why an endpoint is disabled."""

        OWNER = "owner"
        GONE = "gone"
        FAILING = "failing"
        RIGHTS = "rights"

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks", db_index=False
    )
    url = models.CharField(max_length=URL_MAX_LENGTH)
    types = ArrayField(models.SmallIntegerField())
    everything = models.BooleanField(default=False)
    batch = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    disabled_reason = models.CharField(max_length=10, choices=Reason.choices, blank=True)
    position = models.BigIntegerField()
    secret = models.TextField()
    previous_secret = models.TextField(blank=True)
    previous_until = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True)
    claim = models.UUIDField(null=True)
    claimed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["owner", "id"], name="webhooks_by_owner"),
            models.Index(fields=["id"], condition=models.Q(state="active"), name="webhooks_active"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Delivery(models.Model):
    """A message: the events after a position, up to ``until``. Its key is the ``webhook-id``.

    ``types`` are those of the endpoint when the delivery was made, so that every attempt has the
    same body. A replay goes on, delivery by delivery, up to ``goal``.
    """

    class Kind(models.TextChoices):
        LIVE = "live"
        REPLAY = "replay"
        TEST = "test"

    class State(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    after = models.BigIntegerField()
    until = models.BigIntegerField()
    goal = models.BigIntegerField()
    types = ArrayField(models.SmallIntegerField())
    events = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["endpoint", "id"], name="webhooks_deliveries"),
            models.Index(
                fields=["endpoint", "kind"],
                condition=models.Q(state="pending"),
                name="webhooks_pending",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint"],
                condition=models.Q(kind="live", state="pending"),
                name="webhooks_one_live",
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Attempt(models.Model):
    """A request to a receiver, and what came back."""

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="log")
    at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    milliseconds = models.PositiveIntegerField()
    error = models.CharField(max_length=40, blank=True)
    response_start = models.CharField(max_length=RESPONSE_MAX_LENGTH, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.pk)
