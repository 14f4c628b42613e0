"""What is known of browser sessions beside Django's own table of them."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

AGENT_MAX_LENGTH = 300


class BrowserSession(models.Model):
    """Whose a session of ``django_session`` is, and from where it was used last.

    Outside a session is known by ``id``, never by its key. A session that has ended leaves a row
    behind, which nobody sees and the purge deletes. There is no foreign key, because Django gives a
    session another key when the password changes.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session_key = models.CharField(max_length=40, unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(db_default=Now())
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=AGENT_MAX_LENGTH, blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["user", "-last_used_at"], name="accounts_browser_user")]

    def __str__(self) -> str:
        return str(self.pk)


class Place(models.Model):
    """A network and a kind of browser that an account has signed in from.

    Only a keyed digest of both is stored. It tells whether a sign-in comes from somewhere new.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    digest = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(db_default=Now(), db_index=True)
    told_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "digest"], name="accounts_place_unique")
        ]

    def __str__(self) -> str:
        return str(self.pk)
