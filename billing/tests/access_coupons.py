"""The access to coupons, and to purchases with one."""

from typing import Any

from accounts.models import User
from billing.models import Coupon
from tests.access import NO_METHOD, READ, api

B = "api/v1/billing/"


def objects(owner: User) -> dict[str, Any]:
    """Make a coupon that everybody may redeem. Return its code."""
    coupon = Coupon.objects.create(code="SPRING", percent=10, created_by=owner)
    return {f"{B}coupons/": coupon.code}


def _new_coupon(actor: str) -> dict[str, Any]:
    return {"code": f"NEW-{actor}", "percent": "10"}


API = {
    f"{B}coupons/": {"GET": api(403, **READ), "POST": api(403, finance=201, admin=201)},
    f"{B}coupons/check/": {"GET": NO_METHOD, "POST": api()},
    f"{B}coupons/<str:id>/": {
        "GET": api(403, **READ),
        "POST": NO_METHOD,
        "PATCH": api(403, finance=200, admin=200),
    },
    f"{B}purchases/": {"GET": NO_METHOD, "POST": api(201)},
}
BODIES: dict[str, Any] = {
    f"{B}coupons/": _new_coupon,
    f"{B}coupons/check/": {"code": "spring", "amount": "10.00", "currency": "EUR"},
    f"PATCH {B}coupons/<str:id>/": {"max_per_customer": 5},
    f"{B}purchases/": {"purchase": {"price": "10.00"}, "coupon": "spring"},
}
