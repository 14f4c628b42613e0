"""The codes that accounts were sent, so that wrong ones can be limited."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class CodeAttempt(models.Model):
    """A code that was tried for an account. The row of a right one is deleted at once."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["user", "at"], name="accounts_codeattempt_user")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.at}"
