"""Statements on the page of a customer: those there are, and how to ask for another."""

import datetime
import uuid
from typing import cast
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import Caller
from accounts.models import User
from accounts.permissions import Permission as P
from accounts.permissions import allows
from accounts.rules import needs, requires
from purchases.customers import customer_of
from reports.models import Report
from reports.selectors import statements_of
from reports.serializers import ReportInputSerializer
from reports.services import report_request
from shop.core import times
from shop.core.errors import ApplicationError, NotFound, error_response
from shop.core.idempotency import parse_idempotency_key
from shop.core.panels import Moment, Panel

SHOWN = 5


def statements_panel(caller: Caller, customer: User) -> Panel | None:
    """Return the customer's newest statements, and the form that asks for one."""
    is_own = customer.pk == caller.id
    may_read = allows(caller.permissions, P.REPORTS_READ)
    if not may_read or not (is_own or allows(caller.permissions, P.REPORTS_READ_ALL)):
        return None
    statements = statements_of(caller, customer, SHOWN)
    today = times.today()
    context = {
        "statements": [(each, _period(each), _file(each)) for each in statements],
        "ask": "" if is_own else _ask(caller, customer),
        "own": is_own and allows(caller.permissions, P.REPORTS_WRITE),
        "since": (today.replace(day=1) - datetime.timedelta(days=1)).replace(day=1),
        "until": today,
        "idempotency_key": uuid.uuid4(),
    }
    moments = [
        Moment(
            each.created_at,
            _("Statement asked for, %(period)s") % {"period": _period(each)},
            _file(each),
            icon="file-text",
        )
        for each in statements
    ]
    return Panel(_("Statements"), "reports/_customer.html", context, place=30, moments=moments)


def _ask(caller: Caller, customer: User) -> str:
    """Return where the form that asks for a statement is sent; nothing if it may not be asked."""
    if not allows(caller.permissions, P.REPORTS_WRITE_ALL):
        return ""
    return reverse("customer_statement", args=[customer.userid])


def _period(report: Report) -> str:
    since, until = report.period
    return f"{times.day(since)} – {times.day(until)}"


def _file(report: Report) -> str:
    return reverse("api_report_pdf", args=[report.pk]) if report.is_stored else ""


@require_POST
@requires(POST=needs(P.REPORTS_WRITE_ALL))
def statement_request(request: HttpRequest, userid: str) -> HttpResponse:
    """Queue a statement of the customer's purchases, which is mailed to the one who asks."""
    user = cast(User, request.user)
    try:
        customer = customer_of(Caller.of(user), userid)
    except NotFound as error:
        return error_response(request, error)
    given = {name: request.POST.get(name, "") for name in ("since", "until")}
    serializer = ReportInputSerializer(
        data={"kind": Report.Kind.CUSTOMER, "customer": userid, **given}
    )
    try:
        if not serializer.is_valid():
            detail = _("Give the first and the last day of the statement.")
            raise ApplicationError(detail)
        report_request(
            caller_user=user,
            idempotency_key=parse_idempotency_key(request.POST.get("idempotency_key")),
            **serializer.validated_data | {"customer": customer},
        )
    except ApplicationError as error:
        messages.error(request, str(error))
        return redirect(f"{reverse('customer', args=[customer.userid])}?{urlencode(given)}")
    else:
        messages.success(request, _("The statement is queued; it will be mailed to you."))
    return redirect("customer", customer.userid)
