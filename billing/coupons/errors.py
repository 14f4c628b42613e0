"""Why a coupon is not taken."""

from django.utils.translation import gettext_noop

from shop.core.errors import Conflict


class CouponRefused(Conflict):
    """The coupon cannot be redeemed here; the code says why."""

    attr = "coupon"


class CouponInvalid(CouponRefused):
    """There is no such coupon, or it is not active, or it is somebody else's.

    All of these get the same answer, so it tells nobody which codes exist.
    """

    code = "coupon_invalid"
    detail = gettext_noop("There is no such coupon.")


class CouponNotStarted(CouponRefused):
    """It is too early."""

    code = "coupon_not_started"
    detail = gettext_noop("The coupon cannot be redeemed yet.")


class CouponExpired(CouponRefused):
    """It is too late."""

    code = "coupon_expired"
    detail = gettext_noop("The coupon has expired.")


class CouponExhausted(CouponRefused):
    """All customers together have redeemed it as often as it may be."""

    code = "coupon_exhausted"
    detail = gettext_noop("The coupon was redeemed as often as it may be.")


class CouponUsed(CouponRefused):
    """The customer has redeemed it as often as one may."""

    code = "coupon_used"
    detail = gettext_noop("This customer has redeemed the coupon before.")


class CouponMinimum(CouponRefused):
    """The items cost less than the coupon asks for."""

    code = "coupon_minimum"
    detail = gettext_noop("The items cost less than the coupon's minimum.")


class CouponCurrency(CouponRefused):
    """The coupon is in another currency."""

    code = "coupon_currency"
    detail = gettext_noop("The coupon is in another currency.")


class CouponNotApplicable(CouponRefused):
    """It applies to none of the items, or would take nothing off."""

    code = "coupon_not_applicable"
    detail = gettext_noop("The coupon takes nothing off these items.")
