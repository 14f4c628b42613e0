"""Deploys: when which version began to serve."""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from audit.services import record
from operations.models import Deploy


def deploy_record(
    *,
    version: str,
    by: str,
    actor_id: int | None,
    started_at: datetime | None = None,
    finished_at: datetime | None = None,
    notes: str = "",
) -> Deploy:
    """Write that a version began to serve, now unless it was earlier."""
    given = {} if started_at is None else {"started_at": started_at}
    with transaction.atomic():
        deploy = Deploy.objects.create(
            version=version, by=by[:200], finished_at=finished_at, notes=notes, **given
        )
        record(
            "deploy.recorded",
            object=f"deploy:{deploy.pk}",
            actor_id=actor_id,
            after={"version": version},
        )
    deploy.refresh_from_db()
    return deploy


def deploys() -> QuerySet[Deploy]:
    """Return all deploys, newest first."""
    return Deploy.objects.all()


def deploys_between(since: datetime, until: datetime) -> list[Deploy]:
    """Return the deploys of a time, oldest first."""
    found = Deploy.objects.filter(started_at__gte=since, started_at__lt=until)
    return list(found.order_by("started_at")[:200])
