"""The pages of the shop: views parse, authorise, make one call and render."""

import uuid
from contextlib import suppress
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import (
    Caller,
    is_client_program,
    may_record_for_anyone,
    may_see_everything,
)
from accounts.permissions import Permission as P
from accounts.quotas import check_requests
from accounts.rules import OPEN, needs, requires
from events.selectors import latest_position
from purchases import selectors
from purchases.filters import PurchaseFilter, filters_by_price
from purchases.services import record_purchase
from purchases.validation import parse_purchase
from shop.core.errors import (
    ApplicationError,
    FieldError,
    ValidationFailed,
)
from shop.core.idempotency import parse_idempotency_key
from shop.core.money import shown, typed_amount
from shop.core.pagination import paginate
from shop.core.replica import database_for

RECENT = 20
FORM_FIELDS = ("item", "quantity", "price", "currency", "timestamp", "username", "userid")


def _recent(caller: Caller, *, everything: bool) -> dict[str, Any]:
    """Return the newest purchases, and the position, read before them, that the feed starts at."""
    position = latest_position()
    visible = selectors.purchases_visible_to(caller)
    if not everything and may_see_everything(caller):
        visible = visible.filter(Q(customer_id=caller.id))
    rows = visible.order_by("-timestamp", "-id").first_rows(RECENT)
    return {
        "position": position,
        "recent": [selectors.to_purchase_data(purchase) for purchase in rows],
    }


def _typed(given: dict[str, str]) -> dict[str, str]:
    """Return the fields of a form with the price in plain digits.

    Raise ``ValidationFailed`` for an ambiguous price, or one in another currency.
    """
    data = {name: value for name, value in given.items() if value}
    if "price" not in data:
        return data
    try:
        data["price"], meant = typed_amount(data["price"])
    except ValueError as error:
        raise ValidationFailed([FieldError("invalid", str(error), "price")]) from None
    if meant and data.setdefault("currency", meant[0]).upper() not in meant:
        detail = f"It is in {meant[0]}, the currency is {data['currency']}."
        raise ValidationFailed([FieldError("invalid", detail, "price")])
    return data


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=OPEN, POST=needs(P.PURCHASES_WRITE))
def shop(request: HttpRequest) -> HttpResponse:
    """Show the form and the live feed; record the form's purchase."""
    if not request.user.is_authenticated:
        return render(request, "purchases/welcome.html")
    caller = Caller.of(request.user)
    status = 200
    given: dict[str, str] = {}
    errors: dict[str, str] = {}
    if request.method == "POST":
        given = {name: request.POST[name].strip() for name in FORM_FIELDS if name in request.POST}
        try:
            check_requests(caller)
            recorded = record_purchase(
                caller=caller,
                purchase=parse_purchase(_typed(given), now=timezone.now()),
                idempotency_key=parse_idempotency_key(request.POST.get("idempotency_key")),
            )
        except ApplicationError as error:
            status = error.status
            errors = {item.attr or "": item.detail for item in error.errors}
        else:
            word = "was already recorded" if recorded.replayed else "recorded"
            purchase = recorded.purchase
            messages.success(
                request,
                f"Purchase {word}: {shown(purchase['total'], purchase['currency'])}.",
            )
            return redirect("shop")
    context = {
        **_recent(caller, everything=False),
        "given": given,
        "errors": errors,
        "may_name": may_record_for_anyone(caller),
        "show_customers": is_client_program(caller),
        "idempotency_key": uuid.uuid4(),
        "scope": "mine",
    }
    return render(request, "purchases/shop.html", context, status=status)


def _typed_query(query: QueryDict) -> QueryDict:
    """Return the query with prices in plain digits, where they are unambiguous."""
    plain = query.copy()
    for name in ("min_price", "max_price"):
        if plain.get(name):
            with suppress(ValueError):
                plain[name], _ = typed_amount(str(plain[name]))
    return plain


@require_safe
@requires(GET=needs(P.PURCHASES_READ))
def purchase_list(request: HttpRequest) -> HttpResponse:
    """Show the caller's purchases with filters and pages."""
    caller = Caller.of(request.user)
    asked = _typed_query(request.GET)
    visible = selectors.purchases_visible_to(caller, database_for(caller.id))
    filters, purchases = PurchaseFilter.narrow(visible, asked)
    errors: dict[str, str] = {}
    page = None
    query = asked.copy()
    cursor = query.pop("cursor", [None])[-1]
    if filters.is_valid():
        try:
            page = paginate(purchases, cursor=cursor, keys_first=filters_by_price(request.GET))
        except ValidationFailed as error:
            errors["cursor"] = error.errors[0].detail
    else:
        errors = {name: str(problems[0]) for name, problems in filters.errors.items()}
    context = {
        "page": page,
        "purchases": [selectors.to_purchase_data(row) for row in page.items] if page else [],
        "errors": errors,
        "given": {name: request.GET.get(name, "") for name in filters.filters},
        "query": query.urlencode(),
        "show_customers": may_see_everything(caller) or is_client_program(caller),
    }
    return render(request, "purchases/list.html", context, status=400 if errors else 200)


@require_safe
@requires(GET=needs(P.PURCHASES_READ_ALL, detail="The live view is for staff."))
def live(request: HttpRequest) -> HttpResponse:
    """Show everybody's purchases live; for staff."""
    caller = Caller.of(request.user)
    context = {**_recent(caller, everything=True), "scope": "all", "show_customers": True}
    return render(request, "purchases/live.html", context)
