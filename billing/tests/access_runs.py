"""The access to runs."""

from typing import Any

from accounts.models import User
from billing.runs.models import Run
from tests.access import NO_METHOD, READ, Rows, api

B = "api/v1/billing/"
API: Rows = {
    f"{B}runs/": {"GET": api(403, **READ), "POST": api(403, finance=202, admin=202)},
    f"{B}runs/<str:id>/": {"GET": api(403, **READ), "POST": NO_METHOD},
}
BODIES = {f"{B}runs/": {"until": "2026-05-31"}}


def objects(owner: User) -> dict[str, Any]:
    """Make a run that is done."""
    run = Run.objects.create(requested_by=owner, until="2020-01-01", status=Run.Status.DONE)
    return {f"{B}runs/": run.pk}
