"""The access to reports."""

from datetime import date
from typing import Any

from django.core.files.base import ContentFile
from django.utils import timezone

from accounts.models import User
from documents import downloads
from reports.models import Report
from tests.access import (
    ADMIN_READ_ONLY,
    NO_METHOD,
    OPEN_NO_METHOD,
    READ,
    SECRET,
    Access,
    api,
    in_admin,
    page,
)

# A client program has permissions for purchases only.
REPORT = api(404, owner=200, client=403, **READ)
MAY = {"kind": "statement", "since": "2024-05-01", "until": "2024-05-31"}


def _objects(owner: User) -> dict[str, Any]:
    report = Report.objects.create(
        kind="statement",
        requested_by=owner,
        since=date(2024, 5, 1),
        until=date(2024, 5, 31),
        status="sent",
        rendered_at=timezone.now(),
        emailed_at=timezone.now(),
        file=downloads.store.save("owner.pdf", ContentFile(f"%PDF {SECRET}".encode())),
    )
    return {"api/v1/reports/": report.pk, "admin/reports/report/": report.pk}


ACCESS = Access(
    objects=_objects,
    api={
        "api/v1/reports/": {"GET": api(client=403), "POST": api(202, client=403)},
        "api/v1/reports/<str:id>/": {"GET": REPORT, "POST": NO_METHOD},
        "api/v1/reports/<str:id>/pdf/": {"GET": REPORT, "POST": NO_METHOD},
    },
    pages={
        "reports/": {"GET": page(client=403), "POST": page(302, client=403)},
        "reports/customers/<path:userid>/": {
            "GET": OPEN_NO_METHOD,
            "POST": page(403, finance=302, admin=302),
        },
        **in_admin("reports/report", ADMIN_READ_ONLY),
    },
    bodies={"api/v1/reports/": MAY, "reports/": MAY, "reports/customers/<path:userid>/": MAY},
)
