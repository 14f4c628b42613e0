"""The changes of settings at run time."""

from django.db import models
from django.db.models.functions import Now

NAME_MAX_LENGTH = 60


class Change(models.Model):
    """A setting's value from a version on; SQL's NULL for none, so that the default counts.

    The rows are the history and the present at once: a setting has the value of its last change.
    All changes of one version came together.
    """

    version = models.BigIntegerField()
    name = models.CharField(max_length=NAME_MAX_LENGTH)
    value = models.JSONField(null=True)
    changed_at = models.DateTimeField(db_default=Now())
    changed_by_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "name"], name="preferences_change_once"),
        ]
        indexes = [
            models.Index(fields=["name", "-version"], name="preferences_change_by_name"),
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.name}"
