"""The access to purchases."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from accounts.models import User
from events.models import Event
from purchases.models import Purchase
from shop.core.paths import CLASSIC_PREFIX
from tests.access import (
    ADMIN_READ_ONLY,
    NO_METHOD,
    OPEN,
    OPEN_NO_METHOD,
    READ,
    SECRET,
    Access,
    Rows,
    api,
    in_admin,
    page,
)

PURCHASE = api(404, owner=200, **READ)
NAMES_THE_OWNER = {"owner": 201, "client": 201, "admin": 201}
CLASSIC: Rows = {
    "buy": {"GET": NO_METHOD, "POST": api(403, owner=200, client=200, admin=200)},
    "getAllUserBuys/<str:username>": {"GET": PURCHASE, "POST": NO_METHOD},
    "buyList/<str:username>": {"GET": PURCHASE, "POST": NO_METHOD},
}
THEIRS = {"username": "owner", "userid": "id-owner", "price": "3.50", "item": "theirs"}


def _objects(owner: User) -> dict[str, Any]:
    purchase = Purchase.objects.create(
        customer=owner,
        recorded_by=owner,
        item=SECRET,
        price=Decimal(5),
        currency="EUR",
        timestamp=datetime(2024, 5, 31, tzinfo=UTC),
        dedupe_key=uuid.uuid4(),
    )
    Event.objects.create(
        position=1, key=purchase.pk, type=1, customer=owner, at=purchase.received_at
    )
    routes = ("purchases/", "api/v1/purchases/", "admin/purchases/purchase/")
    return dict.fromkeys(routes, purchase.pk)


ACCESS = Access(
    objects=_objects,
    api={
        "api/v1/purchases/": {"GET": api(), "POST": api(403, **NAMES_THE_OWNER)},
        "api/v1/purchases/bulk/": {"GET": NO_METHOD, "POST": api()},
        "api/v1/purchases/export.csv": {"GET": api(), "POST": NO_METHOD},
        "api/v1/purchases/export.jsonl": {"GET": api(), "POST": NO_METHOD},
        "api/v1/purchases/export.xlsx": {"GET": api(), "POST": NO_METHOD},
        "api/v1/purchases/<str:id>/": {"GET": PURCHASE, "POST": NO_METHOD},
        **CLASSIC,
        **{f"^{CLASSIC_PREFIX[1:]}/{route}": methods for route, methods in CLASSIC.items()},
    },
    pages={
        # Signed-in actors send a form without a price, which records nothing.
        "": {"GET": OPEN, "POST": page(400)},
        "purchases/": {"GET": page(), "POST": OPEN_NO_METHOD},
        "purchases/<uuid:id>/": {"GET": page(404, owner=200, **READ), "POST": OPEN_NO_METHOD},
        "customers/": {"GET": page(403, **READ), "POST": OPEN_NO_METHOD},
        "customers/export.csv": {"GET": page(403, **READ), "POST": OPEN_NO_METHOD},
        "customers/export.xlsx": {"GET": page(403, **READ), "POST": OPEN_NO_METHOD},
        "customers/<path:userid>/": {"GET": page(404, owner=200, **READ), "POST": OPEN_NO_METHOD},
        "live/": {"GET": page(403, **READ), "POST": OPEN_NO_METHOD},
        **in_admin("purchases/purchase", ADMIN_READ_ONLY),
    },
    bodies={
        "api/v1/purchases/": THEIRS,
        "api/v1/purchases/bulk/": [THEIRS],
        "buy": THEIRS,
        f"^{CLASSIC_PREFIX[1:]}/buy": THEIRS,
    },
)
