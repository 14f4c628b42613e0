"""The access to operating figures."""

from typing import Any

from accounts.models import User
from operations.models import Deploy
from tests.access import NO_METHOD, OPEN_NO_METHOD, Access, api, page

# Those who may read everybody's figures.
MAY = dict.fromkeys(("finance", "analyst", "operator", "auditor", "admin"), 200)
READ = {"GET": api(403, **MAY), "POST": NO_METHOD}

PAGE = {"GET": page(403, **MAY), "POST": OPEN_NO_METHOD}
WRITES = {"GET": api(403, **MAY), "POST": api(403, operator=201, admin=201)}


def _objects(owner: User) -> dict[str, Any]:
    deploy = Deploy.objects.create(version="1.0.9")
    return {"api/v1/operations/deploys/": deploy.pk, "operations/deploys/": deploy.pk}


ACCESS = Access(
    objects=_objects,
    api={
        "api/v1/operations/now/": READ,
        "api/v1/operations/series/": READ,
        "api/v1/operations/deploys/": WRITES,
        "api/v1/operations/deploys/<uuid:id>/effect/": READ,
        "api/v1/operations/forecast/": READ,
        "api/v1/operations/instances/": READ,
    },
    pages={
        "operations/": PAGE,
        "operations/figures/": PAGE,
        "operations/deploys/<uuid:id>/": PAGE,
    },
    bodies={"api/v1/operations/deploys/": {"version": "1.1.0"}},
)
