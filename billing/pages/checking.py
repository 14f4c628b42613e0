"""The page that the QR code of a paper leads to: whether the shop has issued the document."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.rules import OPEN, requires
from billing.invoices.verify_api import VerifyThrottle
from billing.invoices.verifying import verified
from shop.core.errors import Throttled, error_response

LONGEST = 200
"""The most characters of a number or a hash that the page shows again."""


@require_safe
@requires(GET=OPEN)
def verify(request: HttpRequest) -> HttpResponse:
    """Show whether a number and a hash are those of a document; no amounts and no names."""
    number = request.GET.get("number", "").strip()[:LONGEST]
    hash_ = request.GET.get("hash", "").strip()[:LONGEST]
    asked = bool(number or hash_)
    if asked and not VerifyThrottle().allow_request(request, None):  # type: ignore[arg-type]
        return error_response(request, Throttled())
    context: dict[str, Any] = {
        "number": number,
        "hash": hash_,
        "asked": asked,
        "found": verified(number, hash_) if number and hash_ else None,
    }
    return render(request, "billing/verify.html", context)
