"""Ids that the database makes."""

from django.db import models


class UUIDv7(models.Func):
    """PostgreSQL 18's ``uuidv7()``. The ids grow with time, so that indexes stay compact."""

    function = "uuidv7"
    output_field = models.UUIDField()
