"""What is read about coupons."""

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet, Sum

from billing.coupons.models import Coupon, CouponCustomer, Redemption
from billing.coupons.redeeming import normal
from shop.core.errors import NotFound


def coupons() -> QuerySet[Coupon]:
    """Return all coupons, with their customers."""
    return Coupon.objects.select_related("customer")


def coupon_of(name: str) -> Coupon:
    """Return the coupon with this id or this code. Raise ``NotFound``."""
    found = coupons().filter(code=normal(name)).first()
    if found is None:
        try:
            found = coupons().filter(pk=UUID(name)).first()
        except ValueError:
            found = None
    if found is None:
        raise NotFound()
    return found


def redeemed_by_coupon(ids: Iterable[UUID]) -> dict[UUID, int]:
    """Return how many times each coupon counts as redeemed, by id; without those of no customer."""
    counts = CouponCustomer.objects.filter(coupon__in=list(ids)).values("coupon")
    return {row["coupon"]: row["total"] for row in counts.annotate(total=Sum("redeemed"))}


def redemption_of_purchase(purchase: UUID) -> tuple[str, Decimal] | None:
    """Return the code and the amount of the coupon that a purchase was recorded with, if any."""
    found = Redemption.objects.filter(purchase=purchase)
    return found.values_list("coupon__code", "amount").first()
