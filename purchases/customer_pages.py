"""The pages of customers: views parse, authorise, make one call and render."""

from calendar import monthrange
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import Caller, may_see_everything
from accounts.models import USERNAME_MAX_LENGTH
from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from purchases import customer_exports, customers, selectors
from purchases.audit import export_record
from shop.core import times
from shop.core.charts import Chart, Point, bar_chart
from shop.core.errors import FieldError, NotFound, ValidationFailed, error_response
from shop.core.money import number
from shop.core.panels import Moment, customer_panels
from shop.core.text import printable

RECENT = 10
MONTHS_LISTED = 120


@require_safe
@requires(GET=needs(P.PURCHASES_READ_ALL, P.ACCOUNTS_READ_ALL))
def customer_list(request: HttpRequest) -> HttpResponse:
    """Show all customers by pages, or those whose name, userid or address begins with ``q``."""
    caller = Caller.of(request.user)
    text = request.GET.get("q", "").strip()
    order = customers.NEWEST if request.GET.get("order") == customers.NEWEST else ""
    errors: dict[str, str] = {}
    page: Any = None
    found: list[Any] = []
    more = False
    if problem := _problem(text):
        errors["q"] = problem
    elif text:
        found = customers.customers_named(caller, text, customers.PAGE_SIZE + 1)
        more = len(found) > customers.PAGE_SIZE
    else:
        try:
            page = customers.customer_page(order=order, cursor=request.GET.get("cursor"))
            found = list(page.items)
        except ValidationFailed as error:
            errors["cursor"] = error.errors[0].detail
    context = {
        "q": text,
        "order": order,
        "pages": page.links("order=newest" if order else "") if page else {},
        "customers": customers.listed(caller, found[: customers.PAGE_SIZE]),
        "more": more,
        "errors": errors,
        "show_purchases": may_see_everything(caller),
        "show_addresses": customers.may_see_addresses(caller),
        "counted": customers.LISTED_MAX,
        "exports": urlencode(
            {name: value for name, value in (("q", text), ("order", order)) if value}
        ),
    }
    return render(request, "purchases/customers.html", context, status=400 if errors else 200)


def _problem(text: str) -> str:
    """Return what is wrong with the text of a search; nothing if it is right."""
    if len(text) <= USERNAME_MAX_LENGTH and printable(text):
        return ""
    words = _("A name, userid or address has at most %(most)s printable characters.")
    return words % {"most": USERNAME_MAX_LENGTH}


@require_safe
@requires(GET=needs(P.PURCHASES_READ_ALL, P.ACCOUNTS_READ_ALL))
def customer_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Answer with the list of customers as a file, by the filters of the list."""
    caller = Caller.of(request.user)
    text = request.GET.get("q", "").strip()
    if problem := _problem(text):
        return error_response(request, ValidationFailed([FieldError("invalid", problem, "q")]))
    order = request.GET.get("order", "")
    if request.method != "HEAD":
        media = customer_exports.content_type_of(kind)
        export_record(caller, media, request.GET.dict(), action="customers.exported")
    return customer_exports.answer(request, caller=caller, kind=kind, text=text, order=order)


def _chart(summary: customers.Summary) -> Chart:
    """Return the chart of how many purchases each of the last months has."""
    points = [
        Point(label=date_format(month, "M"), name=times.month(month), value=count)
        for month, count in customers.last_months(summary)
    ]
    return bar_chart(points, title=_("Purchases by month"), headings=[_("Month"), _("Purchases")])


def _days(month: date) -> str:
    """Return the filter of the list of purchases that leaves those of a month."""
    last = month.replace(day=monthrange(month.year, month.month)[1])
    return urlencode({"since": month, "until": last})


@require_safe
@requires(GET=needs(P.PURCHASES_READ))
def customer_detail(request: HttpRequest, userid: str) -> HttpResponse:
    """Show what is known of one customer: its purchases, and what other apps add."""
    caller = Caller.of(request.user)
    try:
        customer = customers.customer_of(caller, userid)
    except NotFound as error:
        return error_response(request, error)
    summary = customers.summary_of(caller, customer)
    panels = customer_panels(caller, customer)
    entries = [Moment(customer.date_joined, _("Account made"), icon="user-plus")]
    if summary.first:
        entries.append(Moment(summary.first, _("First purchase"), icon="shopping-bag"))
    if summary.last and summary.last != summary.first:
        entries.append(Moment(summary.last, _("Newest purchase"), icon="shopping-bag"))
    entries += (moment for panel in panels for moment in panel.moments)
    purchases_url = f"{reverse('purchase_list')}?{urlencode({'username': customer.username})}"
    context = {
        "customer": customer,
        "email": customers.email_for(caller, customer),
        "is_own": customer.pk == caller.id,
        "summary": summary,
        "counted_text": number(customers.COUNTED_MAX),
        "months": [
            (times.month(each.month), f"{purchases_url}&{_days(each.month)}", each)
            for each in summary.months[:MONTHS_LISTED]
            if each.month is not None
        ],
        "purchases_url": purchases_url,
        "chart": _chart(summary),
        "recent": [
            selectors.to_purchase_data(purchase)
            for purchase in customers.newest_of(caller, customer, RECENT)
        ],
        "panels": panels,
        "entries": sorted(entries, key=lambda entry: entry.moment, reverse=True),
        "may_list": may_see_everything(caller),
        "show_customers": False,
    }
    return render(request, "purchases/customer.html", context)
