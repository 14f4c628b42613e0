"""A purchase with a coupon: purchase, event and redemption in one transaction, or none of them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts.access import Caller
from billing.coupons.errors import CouponNotApplicable
from billing.coupons.redeeming import CouponCut, check_coupons, normal, redeem
from billing.coupons.selectors import redemption_of_purchase
from billing.money import Cut, Item, exponent_of, price
from purchases.commits import ledger_transaction
from purchases.entries import Entry, Recorded
from purchases.services import record_within
from purchases.validation import PurchaseInput
from shop.core.errors import ApplicationError, Conflict
from shop.core.idempotency import IdempotencyKeyReused


class RecordedOtherwise(Conflict):
    """The same purchase was recorded before, without the coupon or with another one."""

    code = "recorded_without_coupon"
    detail = gettext_noop("This purchase was recorded before, without this coupon.")
    attr = "coupon"


@dataclass(frozen=True, slots=True)
class Bought:
    """A recorded purchase, what its coupon took off, and what is left to pay."""

    recorded: Recorded
    discount: Decimal
    payable: Decimal

    def data(self) -> dict[str, Any]:
        """Return the purchase as the API shows it, with both amounts."""
        amounts = {"discount": f"{self.discount:.2f}", "payable": f"{self.payable:.2f}"}
        return {**self.recorded.purchase, **amounts}


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    gross: Decimal
    position: int = 1


def discounted(
    code: str, *, customer_id: int, item: str, quantity: int, unit: Decimal, currency: str
) -> tuple[CouponCut, Decimal, Decimal]:
    """Return what a coupon takes off one item now: the cut, the discount, and the rest.

    Raise ``CouponRefused``, and ``CurrencyNotBillable``.
    """
    exponent = exponent_of(currency)
    priced = Item(1, quantity, unit, "O", Decimal(0))
    (whole,) = price([priced], [], exponent=exponent, include_tax=True).lines
    (cut,) = check_coupons(
        [code],
        customer_id=customer_id,
        lines=[_Line(item, whole.gross)],
        currency=currency,
        moment=timezone.now(),
    )
    found = price([priced], [Cut(cut.percent, cut.amount)], exponent=exponent, include_tax=True)
    if not found.cuts[0]:
        # A percentage of almost nothing rounds to nothing, and must not use the coupon up.
        raise CouponNotApplicable()
    return cut, found.cuts[0], found.total


def purchase_with_coupon(
    *, caller: Caller, purchase: PurchaseInput, code: str, idempotency_key: str | None
) -> Bought:
    """Record a purchase and redeem its coupon; a repeat records and redeems nothing.

    Raise what ``record_purchase`` raises, ``CouponRefused``, ``CurrencyNotBillable`` and
    ``RecordedOtherwise``; nothing is recorded then.
    """
    entry = Entry(caller, purchase, idempotency_key, scope="coupon")
    with ledger_transaction():
        recorded = record_within([entry])[0]
        if isinstance(recorded, ApplicationError):
            raise recorded
        id, _, _, item, quantity, unit, currency, *_ = recorded.values
        if recorded.replayed:
            return _repeat(recorded, code, with_key=idempotency_key is not None)
        # The customer may be new, so the coupon is checked after the ledger has named them.
        cut, discount, payable = discounted(
            code,
            customer_id=recorded.customer_id,
            item=item,
            quantity=quantity,
            unit=unit,
            currency=currency,
        )
        redeem(
            [cut.coupon_id],
            customer_id=recorded.customer_id,
            currency=currency,
            purchase_id=UUID(str(id)),
            amounts=[discount],
            codes={cut.coupon_id: cut.code},
        )
    return Bought(recorded, discount, payable)


def _repeat(recorded: Recorded, code: str, *, with_key: bool) -> Bought:
    """Return what was recorded before, if it was recorded with this coupon."""
    id, _, _, _, quantity, unit, currency, *_ = recorded.values
    redemption = redemption_of_purchase(UUID(str(id)))
    if redemption is None or redemption[0] != normal(code):
        raise IdempotencyKeyReused() if with_key else RecordedOtherwise()
    whole = price(
        [Item(1, quantity, unit, "O", Decimal(0))],
        [Cut(amount=redemption[1])],
        exponent=exponent_of(currency),
        include_tax=True,
    )
    return Bought(recorded, redemption[1], whole.total)
