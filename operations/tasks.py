"""The workers' tasks of the operating figures."""

from celery import shared_task

from operations.instances import forget_gone
from operations.sessions import add_expired
from operations.summing import sum_up


@shared_task(name="operations.sum_up")
def sum_up_hours() -> None:
    """Sum up the hours that have ended."""
    sum_up()


@shared_task(name="operations.add_expired")
def count_expired() -> None:
    """Count the sign-ins that have expired."""
    add_expired()


@shared_task(name="operations.forget_gone")
def forget_gone_instances() -> None:
    """Delete the rows of processes that are gone for long."""
    forget_gone()
