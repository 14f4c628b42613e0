"""Checking, redeeming and releasing coupons.

``check_coupons`` reads, for drafts and previews. ``redeem`` counts, in the transaction of what the
coupon is redeemed for. Both raise the errors of :mod:`billing.coupons.errors`.

Nobody reads a counter and writes it back. One statement increments it where the limit allows that,
so redeemers who come at the same moment wait for each other, and none is refused for it. All locks
are taken in one order: coupon by coupon, by id, and first the customer's counter of each.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from django.db import connection, transaction
from django.utils.timezone import now

from billing.coupons.errors import (
    CouponCurrency,
    CouponExhausted,
    CouponExpired,
    CouponInvalid,
    CouponMinimum,
    CouponNotApplicable,
    CouponNotStarted,
    CouponRefused,
    CouponUsed,
)
from billing.coupons.models import Coupon, CouponCustomer, Redemption
from billing.events import COUPON_REDEEMED, CouponRedeemed
from events.services import emit
from shop.core.database import fetch_prepared
from shop.core.errors import FieldError, Unavailable, ValidationFailed

COUPONS_MAX = 10
"""How many coupons one invoice takes."""

_COUPON = Coupon._meta.db_table
_CUSTOMER = CouponCustomer._meta.db_table
_REDEMPTION = Redemption._meta.db_table

_REDEEMABLE = """
id = %(coupon)s AND active AND (customer_id IS NULL OR customer_id = %(customer)s)
AND (starts_at IS NULL OR starts_at <= statement_timestamp())
AND (ends_at IS NULL OR statement_timestamp() < ends_at)
AND (SELECT redeemed FROM mine) <= coalesce(max_per_customer, (SELECT redeemed FROM mine))
"""
# The customer's counter comes first, because the coupon's row is the one that everybody waits for.
# Redeemers of a coupon without a common limit share that row. Whoever changes the coupon waits for
# them, and they for whoever changes it.
_REDEEM = f"""
WITH mine AS (
    INSERT INTO {_CUSTOMER} AS customer (coupon_id, customer_id, redeemed)
    SELECT id, %(customer)s, 1 FROM {_COUPON} WHERE id = %(coupon)s
    ON CONFLICT (coupon_id, customer_id) DO UPDATE SET redeemed = customer.redeemed + 1
    WHERE customer.redeemed < coalesce(
        (SELECT max_per_customer FROM {_COUPON} WHERE id = %(coupon)s), customer.redeemed + 1)
    RETURNING redeemed
), counted AS (
    UPDATE {_COUPON} SET redeemed = redeemed + 1
    WHERE {_REDEEMABLE} AND redeemed < max_redemptions RETURNING id
), shared AS (
    SELECT id FROM {_COUPON} WHERE {_REDEEMABLE} AND max_redemptions IS NULL FOR SHARE
)
INSERT INTO {_REDEMPTION} (coupon_id, customer_id, document_id, purchase, amount)
SELECT id, %(customer)s, %(document)s::uuid, %(purchase)s::uuid, %(amount)s
FROM (SELECT id FROM counted UNION ALL SELECT id FROM shared) AS coupon
RETURNING id
"""  # noqa: S608
_RELEASE = f"""
INSERT INTO {_REDEMPTION} (coupon_id, customer_id, document_id, purchase, amount, releases_id)
SELECT coupon_id, customer_id, document_id, purchase, amount, id FROM {_REDEMPTION}
WHERE document_id = %s AND releases_id IS NULL ORDER BY coupon_id
ON CONFLICT (releases_id) DO NOTHING RETURNING coupon_id, customer_id
"""  # noqa: S608


class PricedItem(Protocol):
    """A line that a coupon may apply to: its place, its item, and quantity times price."""

    @property
    def position(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def gross(self) -> Decimal: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponCut:
    """What a coupon takes off: a percentage or an amount, of some lines or of all (``None``)."""

    coupon_id: UUID
    code: str
    percent: Decimal | None
    amount: Decimal | None
    lines: frozenset[int] | None


def normal(code: object) -> str:
    """Return a code as it is stored; codes are case-blind."""
    text = code.strip() if isinstance(code, str) else ""
    # Some letters of other alphabets have ASCII capitals.
    return text.upper() if text.isascii() else ""


def check_coupons(
    codes: Sequence[str],
    *,
    customer_id: int,
    lines: Sequence[PricedItem],
    currency: str,
    moment: datetime,
) -> list[CouponCut]:
    """Return what the coupons take off, in the order given. Redeem and lock nothing.

    Raise a ``CouponRefused`` for the first that cannot be redeemed, and ``ValidationFailed`` for a
    code given twice or for too many codes.
    """
    wanted = [normal(code) for code in codes]
    if len(set(wanted)) < len(wanted):
        detail = "A coupon is given twice."
        raise ValidationFailed([FieldError("duplicate", detail, "coupons")])
    if len(wanted) > COUPONS_MAX:
        detail = f"Give no more than {COUPONS_MAX} coupons."
        raise ValidationFailed([FieldError("max_length", detail, "coupons")])
    if not wanted:
        return []
    found = {
        coupon.code: coupon
        for coupon in Coupon.objects.raw(
            # One query, so that an unknown code takes as long as any other.
            f"SELECT coupon.*, coalesce(mine.redeemed, 0) AS redeemed_by_customer"  # noqa: S608
            f" FROM {_COUPON} AS coupon LEFT JOIN {_CUSTOMER} AS mine"
            " ON mine.coupon_id = coupon.id AND mine.customer_id = %s WHERE coupon.code = ANY(%s)",
            [customer_id, wanted],
        )
    }
    return [
        _cut(found.get(code), customer_id=customer_id, lines=lines, currency=currency, at=moment)
        for code in wanted
    ]


def _cut(
    coupon: Any, *, customer_id: int, lines: Sequence[PricedItem], currency: str, at: datetime
) -> CouponCut:
    if coupon is None:
        raise CouponInvalid()
    _check_terms(coupon, customer_id, coupon.redeemed_by_customer, at)
    if coupon.currency and coupon.currency != currency:
        raise CouponCurrency()
    items = set(coupon.items)
    chosen = [line for line in lines if not items or line.text in items]
    base = sum((line.gross for line in chosen), Decimal(0))
    if base <= 0:
        raise CouponNotApplicable()
    if coupon.minimum is not None and base < coupon.minimum:
        raise CouponMinimum()
    return CouponCut(
        coupon_id=coupon.pk,
        code=coupon.code,
        percent=coupon.percent,
        amount=coupon.amount,
        lines=frozenset(line.position for line in chosen) if items else None,
    )


def _check_terms(coupon: Coupon, customer_id: int, redeemed: int, at: datetime) -> None:
    """Raise ``CouponRefused`` if the coupon may not be redeemed by this customer at this time."""
    if not coupon.active or coupon.customer_id not in (None, customer_id):
        raise CouponInvalid()
    if coupon.starts_at is not None and at < coupon.starts_at:
        raise CouponNotStarted()
    if coupon.ends_at is not None and at >= coupon.ends_at:
        raise CouponExpired()
    if coupon.max_redemptions is not None and coupon.redeemed >= coupon.max_redemptions:
        raise CouponExhausted()
    if coupon.max_per_customer is not None and redeemed >= coupon.max_per_customer:
        raise CouponUsed()


def redeem(
    coupon_ids: Iterable[UUID],
    *,
    customer_id: int,
    currency: str,
    document_id: UUID | None = None,
    purchase_id: UUID | None = None,
    amounts: Iterable[Decimal],
    codes: Mapping[UUID, str] | None = None,
) -> None:
    """Redeem coupons for a document or a purchase, in the caller's transaction, with their events.

    ``amounts`` are what the coupons took off, in the same order. ``codes`` saves a look-up where
    they are known. Call it as late as possible, because other redeemers of a coupon with a limit
    wait until the transaction ends. Raise ``CouponRefused``, after which the transaction must be
    rolled back.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("redeem() needs a transaction.")
    taken = dict(sorted(zip(coupon_ids, amounts, strict=True)))
    if not taken:
        return
    if codes is None:
        codes = dict(Coupon.objects.filter(pk__in=taken).values_list("pk", "code"))
    for coupon, amount in taken.items():
        told = CouponRedeemed(
            coupon, codes.get(coupon, ""), currency, amount, document_id, purchase_id
        )
        emit(COUPON_REDEEMED, customer=customer_id, data=told)
    subject = {"customer": customer_id, "document": document_id, "purchase": purchase_id}
    for coupon, amount in taken.items():
        if not fetch_prepared(_REDEEM, {"coupon": coupon, "amount": amount, **subject}):
            raise _refusal(coupon, customer_id)


def _refusal(coupon_id: UUID, customer_id: int) -> CouponRefused | Unavailable:
    """Return why the coupon was refused a moment ago."""
    coupon = Coupon.objects.filter(pk=coupon_id).first()
    if coupon is None:
        return CouponInvalid()
    counts = CouponCustomer.objects.filter(coupon=coupon, customer=customer_id)
    try:
        _check_terms(
            coupon, customer_id, counts.values_list("redeemed", flat=True).first() or 0, now()
        )
    except CouponRefused as error:
        return error
    # Somebody changed it, or gave a redemption back, at the same moment.
    return Unavailable()


def release(document_id: UUID) -> None:
    """Give back what was redeemed on a document, once, in the transaction of its void.

    Call it before the credit note takes its number, because the series is locked last.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_RELEASE, [document_id])
        released = sorted(cursor.fetchall())
        for coupon, customer in released:
            cursor.execute(
                f"UPDATE {_CUSTOMER} SET redeemed = redeemed - 1"  # noqa: S608
                " WHERE coupon_id = %s AND customer_id = %s",
                [coupon, customer],
            )
            cursor.execute(
                # Without a common limit the counter is idle, and the row is locked all the same.
                f"UPDATE {_COUPON} SET redeemed = greatest(redeemed - 1, 0) WHERE id = %s",  # noqa: S608
                [coupon],
            )


def redemptions_of(purchase_ids: Iterable[UUID]) -> Mapping[UUID, list[tuple[str, Decimal]]]:
    """Return the code and the amount of each coupon that purchases were recorded with, by id."""
    found: dict[UUID, list[tuple[str, Decimal]]] = {}
    rows = Redemption.objects.filter(purchase__in=list(purchase_ids), releases=None).order_by("id")
    for purchase, code, amount in rows.values_list("purchase", "coupon__code", "amount"):
        if purchase is not None:
            found.setdefault(purchase, []).append((code, amount))
    return found
