"""The pages of the shop: views parse, authorise, make one call and render."""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import (
    Caller,
    is_client_program,
    may_read_purchases,
    may_record_for_anyone,
    may_see_everything,
)
from accounts.permissions import Permission as P
from accounts.quotas import check_requests
from accounts.rules import OPEN, needs, requires
from purchases import selectors
from purchases.currencies import currencies
from purchases.listing import list_purchases
from purchases.services import record_purchase
from purchases.totals import spending_charts, spending_of
from purchases.typed import typed_purchase
from purchases.validation import parse_purchase
from purchases.wording import in_words
from shop.core import times
from shop.core.errors import ApplicationError, NotFound, error_response
from shop.core.idempotency import parse_idempotency_key
from shop.core.money import shown
from shop.core.panels import customer_panels, purchase_panels
from shop.core.site_settings.general import DEFAULT_CURRENCY

PART = "X-Part"
"""A request with this header wants a part of the page."""
RECENT = 20
RECENT_LIVE = 50
FORM_FIELDS = ("item", "quantity", "price", "currency", "timestamp", "username", "userid")


def _recent(caller: Caller, *, everything: bool, limit: int = RECENT) -> dict[str, Any]:
    """Return the purchases recorded last, and the position that the feed goes on from."""
    rows, position = selectors.recorded_lately(caller, everything=everything, limit=limit)
    return {
        "position": position,
        "recent": [selectors.to_purchase_data(purchase) for purchase in rows],
    }


def keeps_what_was_typed(
    view: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Let a form whose session has ended come back filled in after the sign-in."""

    @wraps(view)
    def kept(request: HttpRequest) -> HttpResponseBase:
        if request.method != "POST" or request.user.is_authenticated:
            return view(request)
        typed = {name: request.POST[name] for name in FORM_FIELDS if request.POST.get(name)}
        back = urlencode({"next": f"{request.path}?{urlencode(typed)}"})
        context = {"sign_in": f"{reverse('account_login')}?{back}"}
        return render(request, "purchases/signed_out.html", context, status=403)

    return kept


@keeps_what_was_typed
@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=OPEN, POST=needs(P.PURCHASES_WRITE))
def shop(request: HttpRequest) -> HttpResponse:
    """Show the form, what the caller bought and spent, and the live feed; record a purchase.

    A query fills the form in, as a link to buy something again does. JavaScript asks for the form
    alone, by the header ``X-Part``.
    """
    if not request.user.is_authenticated:
        return render(request, "purchases/welcome.html")
    caller = Caller.of(request.user)
    if request.method == "POST":
        return _buy(request, caller)
    given = {name: request.GET[name] for name in FORM_FIELDS if name in request.GET}
    return _form(request, caller, given, {})


def _buy(request: HttpRequest, caller: Caller) -> HttpResponse:
    """Record the form's purchase; answer with an empty form, or with what is wrong in it."""
    given = {name: request.POST[name].strip() for name in FORM_FIELDS if name in request.POST}
    try:
        check_requests(caller)
        recorded = record_purchase(
            caller=caller,
            purchase=parse_purchase(typed_purchase(given), now=timezone.now()),
            idempotency_key=parse_idempotency_key(request.POST.get("idempotency_key")),
        )
    except ApplicationError as error:
        answer = _form(request, caller, given, in_words(error.errors))
        answer.status_code = error.status
        return answer
    purchase = recorded.purchase
    total = shown(purchase["total"], purchase["currency"])
    text = _("Was already recorded: %s") if recorded.replayed else _("Recorded: %s")
    if PART in request.headers:
        again = {"currency": purchase["currency"]}
        return _form(request, caller, again, {}, recorded=purchase, text=text % total)
    messages.success(request, text % total)
    return redirect("shop")


def _form(
    request: HttpRequest,
    caller: Caller,
    given: dict[str, str],
    errors: dict[str, str],
    **more: object,
) -> HttpResponse:
    currency = given.get("currency", "").upper() or DEFAULT_CURRENCY.value
    context = {
        **more,
        "given": given,
        "errors": errors,
        "may_name": may_record_for_anyone(caller),
        "quantity": given.get("quantity", "1"),
        "currency": currency,
        # What was typed stays, also if it is no currency.
        "currencies": sorted({*currencies(), currency}),
        "idempotency_key": uuid.uuid4(),
        "focus": bool(len(get_messages(request))),
    }
    if PART in request.headers:
        return render(request, "purchases/_answer.html", context)
    return render(request, "purchases/shop.html", context | _home(request, caller))


def _home(request: HttpRequest, caller: Caller) -> dict[str, Any]:
    """Return what stands beside the form: the newest purchases, and what the caller spent."""
    is_program = is_client_program(caller)
    context = {
        **_recent(caller, everything=False),
        "scope": "mine",
        "show_customers": is_program,
        "is_program": is_program,
    }
    # A program buys for others, so that sums of its own say nothing.
    if not is_program and may_read_purchases(caller):
        spending = spending_of(caller)
        context["figures"] = [
            {"label": _("This month"), "totals": spending.this_month},
            {"label": _("This year"), "totals": spending.this_year},
        ]
        context["charts"] = spending_charts(spending)
        context["panels"] = customer_panels(caller, request.user)
    return context


@require_safe
@requires(GET=needs(P.PURCHASES_READ))
def purchase_list(request: HttpRequest) -> HttpResponse:
    """Show the caller's purchases with filters, sums and pages."""
    listing = list_purchases(Caller.of(request.user), request.GET)
    context = {
        "listing": listing,
        "show_customers": listing.show_customers,
        "is_program": is_client_program(Caller.of(request.user)),
    }
    status = 400 if listing.errors else 200
    return render(request, "purchases/list.html", context, status=status)


@require_safe
@requires(GET=needs(P.PURCHASES_READ))
def purchase_detail(request: HttpRequest, id: uuid.UUID) -> HttpResponse:
    """Show everything about one purchase."""
    caller = Caller.of(request.user)
    try:
        purchase, position = selectors.purchase_with_event(caller, id)
    except NotFound as error:
        return error_response(request, error)
    everything = may_see_everything(caller)
    again = {
        "item": purchase.item,
        "quantity": purchase.quantity,
        "price": purchase.price,
        "currency": purchase.currency,
    }
    context = {
        "purchase": purchase,
        "position": position,
        "again": f"{reverse('shop')}?{urlencode(again)}",
        "has_key": purchase.fingerprint is not None,
        # A customer is not told the name of the account that a program or an employee uses.
        "recorder": purchase.recorded_by if everything else None,
        "everything": everything,
        "is_program": is_client_program(caller),
        "bought": times.full(purchase.timestamp),
        "received": times.full(purchase.received_at),
        "panels": purchase_panels(caller, purchase),
    }
    return render(request, "purchases/detail.html", context)


@require_safe
@requires(GET=needs(P.PURCHASES_READ_ALL, detail=gettext_noop("The live view is for staff.")))
def live(request: HttpRequest) -> HttpResponse:
    """Show everybody's purchases live, in the order of the feed; for staff."""
    caller = Caller.of(request.user)
    context = {
        **_recent(caller, everything=True, limit=RECENT_LIVE),
        "scope": "all",
        "show_customers": True,
        "given": {name: request.GET.get(name, "") for name in ("customer", "item")},
    }
    return render(request, "purchases/live.html", context)
