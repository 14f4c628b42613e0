"""What the workers do: thin tasks around :mod:`reports.services`."""

from uuid import UUID

from celery import shared_task

from reports import services


@shared_task(name="reports.deliver")
def deliver(*, report_id: str) -> None:
    """Render and mail a report, as far as it still needs either. Can run any number of times."""
    services.report_render(UUID(report_id))
    services.report_mail(UUID(report_id))


@shared_task(name="reports.sweep")
def sweep() -> None:
    """Announce reports that a lost message or a dead worker has left behind."""
    services.reports_sweep()
