"""Making and changing coupons."""

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext_noop

from accounts.models import User
from audit.services import record
from billing.coupons.models import Coupon, CouponCustomer
from billing.coupons.selectors import redeemed_by_coupon
from billing.money import exponent_of, to_amount, to_units
from shop.core.errors import Conflict, FieldError, NotFound, ValidationFailed
from shop.core.site_settings.general import DEFAULT_CURRENCY

_FIELDS = (
    "code", "percent", "amount", "currency", "starts_at", "ends_at", "max_redemptions",
    "max_per_customer", "customer_id", "minimum", "items", "active",
)  # fmt: skip
_ITEMS_MAX_BYTES = 3000


class CodeTaken(Conflict):
    """Another coupon has this code."""

    code = "code_taken"
    detail = gettext_noop("There is a coupon with this code already.")
    attr = "code"


class CouponInUse(Conflict):
    """The coupon was redeemed, so its value stays what it was."""

    code = "coupon_in_use"
    detail = gettext_noop("The coupon was redeemed before, so its value cannot change.")


def coupon_create(*, actor: User, given: Mapping[str, Any]) -> Coupon:
    """Make a coupon. Raise ``ValidationFailed``, ``CodeTaken`` or ``CurrencyNotBillable``."""
    with transaction.atomic():
        coupon = Coupon(created_by=actor)
        _set(coupon, given)
        _save(coupon, force_insert=True)
        coupon.refresh_from_db()
        record(
            "coupon.created",
            object=f"coupon:{coupon.pk}",
            actor_id=actor.pk,
            account_id=coupon.customer_id or actor.pk,
            after=_state(coupon),
        )
    return coupon


def coupon_change(*, actor: User, id: UUID, given: Mapping[str, Any]) -> Coupon:
    """Change a coupon, after the redeemers under way.

    Raise ``NotFound``, ``ValidationFailed``, ``CodeTaken``, ``CouponInUse`` or
    ``CurrencyNotBillable``.
    """
    with transaction.atomic():
        coupon = Coupon.objects.select_for_update(of=("self",)).filter(pk=id).first()
        if coupon is None:
            raise NotFound()
        before = _state(coupon)
        _set(coupon, given)
        after = _state(coupon)
        changed = {name for name in _FIELDS if before[name] != after[name]}
        if not changed:
            return coupon
        # Invoices show the code, too.
        value = {"code", "percent", "amount", *(["currency"] if coupon.amount else [])} & changed
        if value and CouponCustomer.objects.filter(coupon=coupon).exists():
            raise CouponInUse(attr=min(value))
        _check_limits(coupon, changed)
        _save(coupon)
        record(
            "coupon.changed",
            object=f"coupon:{coupon.pk}",
            actor_id=actor.pk,
            account_id=coupon.customer_id or actor.pk,
            before={name: before[name] for name in sorted(changed)},
            after={name: after[name] for name in sorted(changed)},
        )
    return coupon


def _set(coupon: Coupon, given: Mapping[str, Any]) -> None:
    """Set what is given, and check the coupon as a whole."""
    for name, value in given.items():
        if name == "username":
            coupon.customer = None if value is None else _customer(value)
        elif name in ("currency", "items"):
            setattr(coupon, name, value or ("" if name == "currency" else []))
        else:
            setattr(coupon, name, value)
    coupon.items = list(dict.fromkeys(coupon.items))
    if (coupon.percent is None) == (coupon.amount is None):
        raise _invalid("percent", "Give either percent or amount.")
    if coupon.amount is not None and not coupon.currency:
        raise _invalid("currency", "An amount needs its currency.", "required")
    if coupon.minimum is not None:
        coupon.currency = coupon.currency or DEFAULT_CURRENCY.value
    if coupon.currency:
        exponent = exponent_of(coupon.currency)
        for name in ("amount", "minimum"):
            amount = getattr(coupon, name)
            if amount is not None and to_amount(to_units(amount, exponent), exponent) != amount:
                detail = f"{coupon.currency} has no smaller unit."
                raise _invalid(name, detail, "max_decimal_places")
    if coupon.starts_at and coupon.ends_at and coupon.starts_at >= coupon.ends_at:
        raise _invalid("ends_at", "The end is not after the start.")


def _customer(username: str) -> User:
    customer = User.objects.named(username).first()
    if customer is None:
        raise _invalid("username", "There is no such customer.", "unknown_customer")
    return customer


def _check_limits(coupon: Coupon, changed: set[str]) -> None:
    """Count again what was redeemed, because nobody counts while there is no common limit."""
    if "max_redemptions" in changed and coupon.max_redemptions is not None:
        coupon.redeemed = redeemed_by_coupon([coupon.pk]).get(coupon.pk, 0)
        if coupon.redeemed > coupon.max_redemptions:
            detail = f"It was redeemed {coupon.redeemed} times before."
            raise _invalid("max_redemptions", detail, "min_value")
    if "max_per_customer" in changed and coupon.max_per_customer is not None:
        counts = CouponCustomer.objects.filter(coupon=coupon)
        most = counts.aggregate(most=Max("redeemed"))["most"] or 0
        if most > coupon.max_per_customer:
            detail = f"A customer redeemed it {most} times before."
            raise _invalid("max_per_customer", detail, "min_value")


def _invalid(attr: str, detail: str, code: str = "invalid") -> ValidationFailed:
    return ValidationFailed([FieldError(code, detail, attr)])


def _save(coupon: Coupon, *, force_insert: bool = False) -> None:
    try:
        with transaction.atomic():
            coupon.save(force_insert=force_insert)
    except IntegrityError as error:
        if "billing_coupon_code_key" not in str(error):
            raise
        raise CodeTaken() from None


def _state(coupon: Coupon) -> dict[str, Any]:
    """Return the coupon as the audit keeps it; many items as their digest."""
    state = {name: getattr(coupon, name) for name in _FIELDS}
    items = msgspec.json.encode(coupon.items)
    if len(items) > _ITEMS_MAX_BYTES:
        state["items"] = f"sha256:{hashlib.sha256(items).hexdigest()}"
    return state
