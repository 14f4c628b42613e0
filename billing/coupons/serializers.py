"""The shapes of the API of coupons."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.models import USERNAME_MAX_LENGTH
from accounts.serializers import TextField
from billing.coupons.models import CODE_MAX_LENGTH, CODE_PATTERN, ITEMS_MAX, LIMIT_MAX, Coupon
from billing.coupons.redeeming import normal
from billing.fields import AmountField, CurrencyField, MomentField
from purchases.models import ITEM_MAX_LENGTH
from purchases.serializers import PurchaseInputSerializer, PurchaseSerializer
from shop.core.bodies import Body
from shop.core.times import iso

_OPTIONAL: dict[str, Any] = {"required": False, "allow_null": True}
_TYPED_CODE_MAX_LENGTH = 100


class CodeField(serializers.RegexField):
    """A code, whatever the case it is typed in."""

    def __init__(self, **options: Any) -> None:
        super().__init__(CODE_PATTERN, max_length=CODE_MAX_LENGTH, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return normal(data)


class CouponSerializer(Body):
    """A coupon: a percentage or an amount, and where, when and how often it is taken."""

    id = serializers.UUIDField(read_only=True)
    code = CodeField(help_text="Letters, digits and hyphens; case-blind.")
    percent = AmountField(
        max_digits=5, min_value=Decimal("0.01"), max_value=Decimal(100), **_OPTIONAL
    )
    amount = AmountField(
        min_value=Decimal("0.01"), help_text="Instead of `percent`, with `currency`.", **_OPTIONAL
    )
    currency = CurrencyField(
        help_text="It is taken in this currency only. `minimum` is in the shop's own by default.",
        **_OPTIONAL,
    )
    starts_at = MomentField(**_OPTIONAL)
    ends_at = MomentField(help_text="Not any more from then on.", **_OPTIONAL)
    max_redemptions = serializers.IntegerField(min_value=1, max_value=LIMIT_MAX, **_OPTIONAL)
    max_per_customer = serializers.IntegerField(min_value=1, max_value=LIMIT_MAX, **_OPTIONAL)
    username = TextField(
        max_length=USERNAME_MAX_LENGTH, help_text="It is for this customer alone.", **_OPTIONAL
    )
    minimum = AmountField(
        help_text="The least that the items it applies to cost before any discount.", **_OPTIONAL
    )
    items = serializers.ListField(
        child=TextField(max_length=ITEM_MAX_LENGTH),
        max_length=ITEMS_MAX,
        help_text="It applies to these items only.",
        **_OPTIONAL,
    )
    active = serializers.BooleanField(required=False)
    redeemed = serializers.IntegerField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)


class CouponCheckSerializer(Body):
    code = TextField(max_length=_TYPED_CODE_MAX_LENGTH)
    amount = AmountField(max_digits=24, help_text="What the items cost.")
    currency = CurrencyField()
    item = TextField(max_length=ITEM_MAX_LENGTH, required=False, allow_blank=True)
    username = TextField(
        max_length=USERNAME_MAX_LENGTH,
        required=False,
        help_text="The customer, for those who record purchases for others; default the caller.",
    )


class CouponCheckedSerializer(serializers.Serializer[Any]):
    discount = serializers.DecimalField(max_digits=24, decimal_places=2)
    total = serializers.DecimalField(max_digits=24, decimal_places=2)


class CouponPurchaseInputSerializer(Body):
    """A purchase and the coupon that it is to be recorded with."""

    purchase = PurchaseInputSerializer()
    coupon = serializers.CharField(max_length=_TYPED_CODE_MAX_LENGTH)


class CouponPurchaseSerializer(PurchaseSerializer):
    """A recorded purchase, what the coupon took off its total, and what is left to pay."""

    discount = serializers.DecimalField(max_digits=24, decimal_places=2)
    payable = serializers.DecimalField(max_digits=24, decimal_places=2)

    class Meta(PurchaseSerializer.Meta):
        fields = [*PurchaseSerializer.Meta.fields, "discount", "payable"]


class PurchaseCouponSerializer(Body):
    """Reads the coupon of a purchase; the purchase itself is read as on its own route."""

    purchase = serializers.JSONField()
    coupon = TextField(max_length=_TYPED_CODE_MAX_LENGTH)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"


def coupon_data(coupon: Coupon, redeemed: int) -> dict[str, Any]:
    """Return a coupon as the API shows it."""
    customer = coupon.customer
    return {
        "id": str(coupon.pk),
        "code": coupon.code,
        "percent": _text(coupon.percent),
        "amount": _text(coupon.amount),
        "currency": coupon.currency or None,
        "starts_at": coupon.starts_at and iso(coupon.starts_at),
        "ends_at": coupon.ends_at and iso(coupon.ends_at),
        "max_redemptions": coupon.max_redemptions,
        "max_per_customer": coupon.max_per_customer,
        "username": customer and customer.username,
        "minimum": _text(coupon.minimum),
        "items": coupon.items or None,
        "active": coupon.active,
        "redeemed": redeemed,
        "created_at": iso(coupon.created_at),
    }
