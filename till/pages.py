"""The till's page, and what its scripts ask for."""

import json
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe
from rest_framework.authentication import CSRFCheck

from accounts.access import Caller, may_record_for_anyone
from accounts.authentication import actor_of, origin_is_ours
from accounts.permissions import Permission as P
from accounts.quotas import check_requests
from accounts.rules import OPEN, needs, requires
from purchases.services import record_purchase
from purchases.typed import typed_purchase
from purchases.validation import parse_purchase
from shop.core.errors import ApplicationError, Forbidden, csrf_failure, error_response
from shop.core.idempotency import parse_idempotency_key
from shop.core.money import shown
from shop.core.site_settings.general import DEFAULT_CURRENCY, SITE_NAME
from till import kept, offline
from till.selectors import customers_like

Page = Callable[[HttpRequest], HttpResponseBase]


class StaleForm(Forbidden):
    """The form's token was renewed by a sign-in after the form had been loaded."""

    code = "csrf_failed"

    def __init__(self) -> None:
        super().__init__(
            _("You have signed in again since. Nothing was recorded yet: press Record once more.")
        )


def loses_nothing(view: Page) -> Page:
    """Let the form come back filled in when its session or its CSRF token has ended.

    The CSRF check is Django's own. It only happens here, where what was typed can be shown again.
    """

    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponseBase:
        if request.method != "POST":
            return view(request)
        check = CSRFCheck(lambda request: HttpResponse())
        check.process_request(request)
        # Not with this view, because its own exemption would end the check.
        reason = check.process_view(request, view, (), {})
        if reason and not origin_is_ours(request):
            return csrf_failure(request, str(reason))
        if not request.user.is_authenticated:
            back = kept.address_with(kept.typed_fields(request.POST.dict()))
            query = urlencode({REDIRECT_FIELD_NAME: back})
            context = {"sign_in": f"{resolve_url(settings.LOGIN_URL)}?{query}"}
            return render(request, "till/signed_out.html", context, status=403)
        if reason:
            request.stale_form = True  # type: ignore[attr-defined]
        return view(request)

    return guarded


@loses_nothing
@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=needs(P.PURCHASES_WRITE), POST=needs(P.PURCHASES_WRITE))
def till(request: HttpRequest) -> HttpResponse:
    """Show the form; record the form's purchase, for who has no JavaScript."""
    user = actor_of(request)
    caller = Caller.of(user)
    given = kept.fields_in(request.GET.get("kept", "")) if request.method != "POST" else {}
    errors: dict[str, str] = {}
    status = 200
    if request.method == "POST":
        given = kept.typed_fields(request.POST.dict())
        try:
            if getattr(request, "stale_form", False):
                raise StaleForm()
            _record(request, caller, given)
        except ApplicationError as error:
            status = error.status
            errors = {item.attr or "": item.detail for item in error.errors}
        else:
            return redirect("till")
    context = {
        "given": given,
        "errors": errors,
        "labels": {
            "username": _("Customer"),
            "userid": _("Customer"),
            "item": _("Item"),
            "price": _("Price"),
            "quantity": _("Quantity"),
            "currency": _("Currency"),
        },
        "may_name": may_record_for_anyone(caller),
        "lists": (
            ("refused", _("Refused")),
            ("waiting", _("Waiting")),
            ("sent", _("Sent")),
        ),
        "default_currency": DEFAULT_CURRENCY.value,
        "idempotency_key": given.get(kept.KEY) or uuid.uuid4(),
    }
    response = render(request, "till/till.html", context, status=status)
    response["Till-Version"] = offline.version()
    return response


def _record(request: HttpRequest, caller: Caller, given: dict[str, str]) -> None:
    """Record the form's purchase, and leave a message. Raise ``ApplicationError``."""
    key = parse_idempotency_key(given.get(kept.KEY))
    fields = {name: value for name, value in given.items() if name in kept.FIELDS}
    check_requests(caller)
    recorded = record_purchase(
        caller=caller,
        purchase=parse_purchase(typed_purchase(fields), now=timezone.now()),
        idempotency_key=key,
    )
    purchase = recorded.purchase
    text = _("Was already recorded: {amount}.") if recorded.replayed else _("Recorded: {amount}.")
    messages.success(request, text.format(amount=shown(purchase["total"], purchase["currency"])))


@require_safe
@requires(GET=OPEN)
def session(request: HttpRequest) -> HttpResponse:
    """Say who is signed in, with the CSRF token of a write; the ``Date`` header is the time.

    Only our own pages can read the answer.
    """
    user: Any = request.user
    account = {"id": user.pk, "name": user.username} if user.is_authenticated else None
    return JsonResponse({"account": account, "csrf_token": get_token(request)})


@require_safe
@requires(GET=needs(P.PURCHASES_WRITE_ALL))
def customers(request: HttpRequest) -> HttpResponse:
    """Return customers whose username or userid begins with ``q``, for who may name them."""
    try:
        check_requests(Caller.of(request.user))
    except ApplicationError as error:
        return error_response(request, error)
    return JsonResponse({"customers": customers_like(request.GET.get("q", ""))})


@require_safe
@requires(GET=OPEN)
def worker(request: HttpRequest) -> HttpResponse:
    """Return the service worker. A browser asks for it at each visit, so it is never cached."""
    context = {
        "version": json.dumps(offline.version()),
        "shell": json.dumps(reverse("till")),
        "files": json.dumps([settings.STATIC_URL, reverse("texts")]),
    }
    response = render(request, "till/worker.js", context, content_type="text/javascript")
    response["Cache-Control"] = "no-cache"
    return response


@require_safe
@requires(GET=OPEN)
def manifest(request: HttpRequest) -> HttpResponse:
    """Return what a device needs to install the till like a program."""
    start = reverse("till")
    icons = [
        {"src": staticfiles_storage.url(f"till/icon-{size}.png"), "sizes": f"{size}x{size}"}
        for size in (192, 512)
    ]
    body = {
        "id": start,
        "name": f"{SITE_NAME.value}: {_('Till')}",
        "short_name": _("Till"),
        "start_url": start,
        "scope": start,
        "display": "standalone",
        "background_color": "#f7f7f4",
        "theme_color": "#0b6e5f",
        "icons": [
            {"src": staticfiles_storage.url("icon.svg"), "sizes": "any", "type": "image/svg+xml"},
            *({**icon, "type": "image/png", "purpose": "any maskable"} for icon in icons),
        ],
    }
    return JsonResponse(body, content_type="application/manifest+json")
