"""Coupons, for finance: making, changing and stopping them, and how often they were used."""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.rules import requires
from billing.coupons.models import Coupon, Redemption
from billing.coupons.redeeming import normal
from billing.coupons.selectors import coupon_of, coupons, redeemed_by_coupon
from billing.coupons.serializers import CouponSerializer
from billing.coupons.services import coupon_change, coupon_create
from billing.pages.customers import page_of
from billing.pages.forms import Errors, amount_in, checked, submitted, wrong
from billing.pages.manage import READ_ALL, WRITE_ALL, may_write
from billing.pages.shown import page_url
from billing.pages.wording import Word
from purchases.currencies import currencies
from purchases.models import Purchase
from shop.core import times
from shop.core.errors import NotFound, error_response
from shop.core.money import shown
from shop.core.site_settings.general import DEFAULT_CURRENCY
from shop.core.typed_times import Edge, typed_moment

LABELS = {
    "code": gettext_lazy("Code"),
    "value": gettext_lazy("What it takes off"),
    "percent": gettext_lazy("What it takes off"),
    "amount": gettext_lazy("What it takes off"),
    "currency": gettext_lazy("Currency"),
    "starts_at": gettext_lazy("From"),
    "ends_at": gettext_lazy("Until"),
    "max_redemptions": gettext_lazy("How often in all"),
    "max_per_customer": gettext_lazy("How often for each customer"),
    "username": gettext_lazy("Only for this customer"),
    "minimum": gettext_lazy("Least amount"),
    # A template takes `items` of a mapping for its method.
    "only_items": gettext_lazy("Only for these items"),
}
FIELDS = tuple(name for name in LABELS if name not in ("percent", "amount"))
ACTIVE: Word = (gettext_lazy("Active"), "good", "circle-check")
STOPPED: Word = (gettext_lazy("Stopped"), "", "ban")
OVER: Word = (gettext_lazy("Over"), "", "clock")
LATER: Word = (gettext_lazy("Begins later"), "", "clock")
USED: Word = (gettext_lazy("Used up"), "", "circle-x")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=READ_ALL, POST=WRITE_ALL)
def coupon_list(request: HttpRequest) -> HttpResponse:
    """Show coupons, newest first; make one by POST."""
    given: dict[str, str] = {"currency": DEFAULT_CURRENCY.value}
    errors: Errors = {}
    status = 200
    if request.method == "POST":
        given = _typed(request.POST)

        def work() -> str:
            asked = {name: value for name, value in _asked(given).items() if value is not None}
            read = checked(CouponSerializer, asked)
            made = coupon_create(actor=cast(User, request.user), given=read)
            return reverse("billing_coupon", args=[made.pk])

        url, errors, status = submitted(request, work)
        if url:
            messages.success(request, _("The coupon is there."))
            return redirect(url)
    found = coupons()
    code = request.GET.get("code", "").strip()
    if code:
        found = found.filter(code=normal(code))
    page, fault = page_of(request, found, moment_field="created_at")
    rows = list(page.items) if page else []
    redeemed = redeemed_by_coupon(each.pk for each in rows)
    context = {
        "rows": [_row(each, redeemed.get(each.pk, 0)) for each in rows],
        "pages": page.links() if page else {},
        "wrong": fault,
        "code": code,
        "may_write": may_write(request),
        **_form(given, errors),
    }
    return render(request, "billing/coupons.html", context, status=400 if fault else status)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=READ_ALL, POST=WRITE_ALL)
def coupon(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Show a coupon and who redeemed it; change, stop or start it by POST."""
    try:
        found = coupon_of(str(id))
    except NotFound as error:
        return error_response(request, error)
    actor = cast(User, request.user)
    given = _of(found)
    errors: Errors = {}
    status = 200
    if request.method == "POST":
        active = request.POST.get("active")
        if active is None:
            given = _typed(request.POST)

        def work() -> str:
            if active is not None:
                changes: dict[str, Any] = {"active": active == "yes"}
            else:
                read = _asked(given)
                changes = checked(CouponSerializer, read)
            coupon_change(actor=actor, id=id, given=changes)
            return request.path

        url, errors, status = submitted(request, work)
        if url:
            messages.success(request, _("The coupon is changed."))
            return redirect(url)
    count = redeemed_by_coupon([found.pk]).get(found.pk, 0)
    redemptions = list(
        Redemption.objects.filter(coupon=found)
        .select_related("customer", "document")
        .defer("document__canonical")
        .order_by("-id")[:50]
    )
    bought = dict(
        Purchase.objects.filter(pk__in=[each.purchase for each in redemptions]).values_list(
            "pk", "currency"
        )
    )
    context = {
        "coupon": found,
        "stop": [("active", "no")],
        "row": _row(found, count),
        "redemptions": [
            {
                "row": each,
                "currency": each.document.currency
                if each.document
                else bought.get(each.purchase or each.pk, ""),
                "url": page_url("invoice", each.document_id)
                if each.document_id
                else reverse("purchase", args=[each.purchase]),
                "released": each.releases_id is not None,
            }
            for each in redemptions
        ],
        "may_write": may_write(request),
        **_form(given, errors),
    }
    return render(request, "billing/coupon.html", context, status=status)


def _form(given: Mapping[str, str], errors: Errors) -> dict[str, Any]:
    moved = {"percent": "value", "amount": "value", "items": "only_items"}
    return {
        "given": given,
        "errors": {
            moved.get(name, name if name in LABELS else ""): detail
            for name, detail in errors.items()
        },
        "labels": LABELS,
        "currencies": [(code, code) for code in sorted(currencies())],
        "idempotency_key": uuid.uuid4(),
    }


def _row(found: Coupon, redeemed: int) -> dict[str, Any]:
    value = f"{found.percent.normalize():f} %" if found.percent is not None else ""
    if found.amount is not None:
        value = shown(found.amount, found.currency)
    return {"coupon": found, "value": value, "redeemed": redeemed, "word": _word(found)}


def _word(found: Coupon) -> Word:
    now = timezone.now()
    if not found.active:
        return STOPPED
    if found.ends_at is not None and found.ends_at <= now:
        return OVER
    if found.starts_at is not None and found.starts_at > now:
        return LATER
    if found.max_redemptions is not None and found.redeemed >= found.max_redemptions:
        return USED
    return ACTIVE


def _typed(form: Mapping[str, str]) -> dict[str, str]:
    return {name: form.get(name, "").strip() for name in FIELDS}


def _of(found: Coupon) -> dict[str, str]:
    """Return the form of a coupon."""
    value = f"{found.percent.normalize():f} %" if found.percent is not None else str(found.amount)
    return {
        "code": found.code,
        "value": value,
        "currency": found.currency or DEFAULT_CURRENCY.value,
        "starts_at": _written(found.starts_at, Edge.START),
        "ends_at": _written(found.ends_at, Edge.END),
        "max_redemptions": str(found.max_redemptions or ""),
        "max_per_customer": str(found.max_per_customer or ""),
        "username": found.customer.username if found.customer else "",
        "minimum": "" if found.minimum is None else str(found.minimum),
        "only_items": "\n".join(found.items),
    }


def _written(moment: datetime | None, edge: Edge) -> str:
    """Return the shortest text that means the moment again when the form is sent."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    for pattern in ("%Y-%m-%d", "%Y-%m-%d %H:%M"):
        text = local.strftime(pattern)
        with suppress(ValueError):
            if typed_moment(text, edge) == moment:
                return text
    return times.iso(moment)


def _asked(given: Mapping[str, str]) -> dict[str, Any]:
    """Return what the form asks for, as the API takes it. Raise ``ValidationFailed``."""
    value = given["value"]
    items = [line.strip() for line in given["only_items"].splitlines() if line.strip()]
    asked: dict[str, Any] = {
        "code": given["code"],
        "percent": None,
        "amount": None,
        "currency": None,
        "starts_at": _moment(given, "starts_at", Edge.START),
        "ends_at": _moment(given, "ends_at", Edge.END),
        "username": given["username"] or None,
        "minimum": None,
        "items": items or None,
        "max_redemptions": given["max_redemptions"] or None,
        "max_per_customer": given["max_per_customer"] or None,
    }
    if value.endswith("%"):
        asked["percent"] = amount_in({"value": value[:-1].strip()}, "value", "")
    else:
        asked["amount"] = amount_in(given, "value", given["currency"])
        asked["currency"] = given["currency"]
    if given["minimum"]:
        asked["minimum"] = amount_in(given, "minimum", given["currency"])
        asked["currency"] = given["currency"]
    return asked


def _moment(given: Mapping[str, str], name: str, edge: Edge) -> str | None:
    if not given[name]:
        return None
    try:
        return times.iso(typed_moment(given[name], edge))
    except ValueError as error:
        raise wrong(name, str(error)) from None
