"""The workers' task that keeps the partitions of every app."""

from celery import shared_task

from shop.core.partitions import keep_partitions


@shared_task(name="logs.keep_partitions")
def keep() -> None:
    """Make the partitions of the days to come, and drop those that are too old."""
    keep_partitions()
