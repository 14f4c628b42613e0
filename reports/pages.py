"""The page of reports."""

import uuid
from datetime import timedelta
from typing import cast
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from accounts.emails import verified_address
from accounts.models import User
from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from reports import selectors
from reports.access import may_request, may_see_all_reports
from reports.models import Report
from reports.serializers import ReportInputSerializer
from reports.services import report_request
from shop.core.errors import ApplicationError, ValidationFailed
from shop.core.idempotency import parse_idempotency_key
from shop.core.pagination import LAST, Page, paginate

FIELDS = ("kind", "since", "until")
LABELS = {"kind": _("What"), "since": _("First day"), "until": _("Last day")}
KINDS = {
    Report.Kind.SALES: _("Everybody's purchases"),
    Report.Kind.STATEMENT: _("My own purchases"),
}
STATUSES = {
    "queued": (_("Waiting"), "", "hourglass"),
    "rendering": (_("Being made"), "", "loader-circle"),
    "ready": (_("Ready, being mailed"), "good", "send"),
    "sent": (_("Mailed"), "good", "circle-check"),
    "failed": (_("Failed"), "bad", "circle-alert"),
}
"""The word for each public status, and the tone and the icon of its badge."""
FILTERS = {
    "open": ~Q(status__in=[Report.Status.SENT, Report.Status.FAILED]),
    "failed": Q(status=Report.Status.FAILED),
}


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=needs(P.REPORTS_READ), POST=needs(P.REPORTS_WRITE))
def report_list(request: HttpRequest) -> HttpResponse:
    """Show the reports that the caller may see; queue the form's report."""
    user = cast(User, request.user)
    kinds = {kind: words for kind, words in KINDS.items() if may_request(user, kind)}
    last_month_ends = timezone.now().date().replace(day=1) - timedelta(days=1)
    usual = {
        "kind": next(iter(kinds), ""),
        "since": last_month_ends.replace(day=1),
        "until": last_month_ends,
    }
    asked = request.POST if request.method == "POST" else request.GET
    given = {name: asked.get(name, str(usual[name])) for name in FIELDS}
    errors: dict[str, str] = {}
    status = 200
    if request.method == "POST":
        status, errors = _request(user, given, request.POST.get("idempotency_key"))
        if not errors:
            messages.success(request, gettext("It is being made, and will be mailed to you."))
            return redirect("report_list")
    page: Page[Report] | None = None
    shown = request.GET.get("status", "")
    try:
        page = paginate(
            _narrowed(selectors.reports_for(user), shown),
            cursor=request.GET.get("cursor"),
            moment_field="created_at",
        )
    except ValidationFailed as error:
        status, errors = 400, {"": error.errors[0].detail}
    context = {
        "page": page,
        "reports": page.items if page else [],
        "links": _links(page, {"status": shown} if shown in FILTERS else {}) if page else {},
        "shown": shown if shown in FILTERS else "",
        "given": given,
        "errors": errors,
        "labels": LABELS,
        "kinds": kinds,
        "statuses": STATUSES,
        "idempotency_key": uuid.uuid4(),
        "everything": may_see_all_reports(user),
        "unverified": "" if verified_address(user) else user.email,
    }
    return render(request, "reports/list.html", context, status=status)


def _request(user: User, given: dict[str, str], key: str | None) -> tuple[int, dict[str, str]]:
    """Queue a report. Return the status, and what is wrong by field; nothing if it is queued."""
    serializer = ReportInputSerializer(data=given)
    if not serializer.is_valid():
        return 400, {name: str(problems[0]) for name, problems in serializer.errors.items()}
    try:
        report_request(
            caller_user=user,
            idempotency_key=parse_idempotency_key(key),
            **serializer.validated_data,
        )
    except ApplicationError as error:
        return error.status, {item.attr or "": item.detail for item in error.errors}
    return 200, {}


def _links(page: Page[Report], query: dict[str, str]) -> dict[str, str]:
    """Return the addresses of the page's neighbours, and of both ends of the list."""
    links = {}
    if page.previous_cursor:
        links["newest"] = f"?{urlencode(query)}"
        links["newer"] = f"?{urlencode(query | {'cursor': page.previous_cursor})}"
    if page.next_cursor:
        links["older"] = f"?{urlencode(query | {'cursor': page.next_cursor})}"
        links["oldest"] = f"?{urlencode(query | {'cursor': LAST})}"
    return links


def _narrowed(reports: QuerySet[Report], shown: str) -> QuerySet[Report]:
    return reports.filter(FILTERS[shown]) if shown in FILTERS else reports
