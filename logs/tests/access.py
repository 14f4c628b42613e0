"""The access to the log."""

from typing import Any

from accounts.models import User
from logs.models import Entry
from shop.core.ids import uuid7
from tests.access import NO_METHOD, OPEN_NO_METHOD, Access, api, page

# Operators keep the site running, auditors watch those who do.
MAY = dict.fromkeys(("operator", "auditor", "admin"), 200)
READ = {"GET": api(403, **MAY), "POST": NO_METHOD}
PAGE = {"GET": page(403, **MAY), "POST": OPEN_NO_METHOD}


def _objects(owner: User) -> dict[str, Any]:
    line = Entry.objects.create(
        uuid=uuid7(), level=20, part="web", event="canary.sung", user_id=owner.pk, fields={}
    )
    return {"api/v1/logs/": line.uuid, "logs/": line.uuid}


ACCESS = Access(
    objects=_objects,
    api={
        "api/v1/logs/": READ,
        "api/v1/logs/histogram/": READ,
        "api/v1/logs/tail/": READ,
        "api/v1/logs/export.jsonl": READ,
        "api/v1/logs/status/": READ,
        "api/v1/logs/<str:id>/around/": READ,
    },
    pages={"logs/": PAGE, "logs/lines/": PAGE, "logs/<uuid:id>/": PAGE},
)
