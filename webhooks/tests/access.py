"""The access to webhooks."""

from typing import Any

from accounts.models import User
from events.models import PURCHASE_RECORDED
from shop.core.sealing import seal
from tests.access import NO_METHOD, Access, api, page
from webhooks.models import Delivery, Endpoint
from webhooks.signing import COLUMN, random_secret

# A client program has permissions for purchases only.
SEEN = api(404, owner=200, auditor=200, operator=200, admin=200, client=403)


def _changed(status: int) -> dict[str, int]:
    return api(404, owner=status, operator=status, admin=status, client=403)


HOOK = {"url": "https://93.184.215.14/events", "events": ["purchase.recorded"]}
ONE = "api/v1/webhooks/<str:id>/"
DELIVERY = f"{ONE}deliveries/<str:delivery>/"


def _objects(owner: User) -> dict[str, Any]:
    endpoint = Endpoint(
        owner=owner,
        url="https://example.com/events",
        types=[PURCHASE_RECORDED],
        position=0,
        secret=seal(random_secret().encode(), account=owner.pk, column=COLUMN),
    )
    endpoint.save(force_insert=True)
    endpoint.refresh_from_db()
    # The paths of the table have one id.
    Delivery(
        id=endpoint.pk,
        endpoint=endpoint,
        kind="live",
        after=0,
        until=1,
        goal=1,
        types=[1],
        events=1,
    ).save(force_insert=True)
    return {"api/v1/webhooks/": endpoint.pk, "webhooks/": endpoint.pk}


ACCESS = Access(
    objects=_objects,
    api={
        "api/v1/webhooks/": {"GET": api(client=403), "POST": api(201, client=403)},
        ONE: {
            "GET": SEEN,
            "POST": NO_METHOD,
            # An operator may not read purchases, and so may send them nowhere.
            "PATCH": api(404, owner=200, operator=200, admin=200, client=403),
            "DELETE": _changed(204),
        },
        f"{ONE}test/": {"GET": NO_METHOD, "POST": _changed(202)},
        f"{ONE}rotate-secret/": {"GET": NO_METHOD, "POST": _changed(200)},
        f"{ONE}replay/": {"GET": NO_METHOD, "POST": _changed(202)},
        f"{ONE}deliveries/": {"GET": SEEN, "POST": NO_METHOD},
        DELIVERY: {"GET": SEEN, "POST": NO_METHOD},
        f"{DELIVERY}retry/": {"GET": NO_METHOD, "POST": _changed(202)},
    },
    pages={
        "webhooks/": {"GET": page(client=403), "POST": page(client=403)},
        "webhooks/<uuid:id>/": {
            "GET": page(404, owner=200, auditor=200, operator=200, admin=200, client=403),
            "POST": page(404, owner=302, operator=302, admin=302, client=403),
        },
    },
    bodies={
        "webhooks/": HOOK,
        "webhooks/<uuid:id>/": {"action": "test"},
        "api/v1/webhooks/": HOOK,
        f"PATCH {ONE}": {"state": "active"},
        f"{ONE}replay/": {"after": 0},
    },
)
