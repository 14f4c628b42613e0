"""The cursor of the stream."""

from django.db import models


class StreamCursor(models.Model):
    """Everything up to ``position`` is in Kafka. The process that set ``holder`` publishes."""

    NAME = "kafka"

    name = models.CharField(max_length=20, primary_key=True)
    position = models.BigIntegerField(default=0)
    moved_at = models.DateTimeField(null=True)
    holder = models.UUIDField(null=True)
    held_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name
