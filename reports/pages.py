"""The page of reports."""

import datetime
import uuid
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.emails import verified_address
from accounts.models import User
from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from reports import selectors
from reports.access import may_request, may_see_all_reports
from reports.models import ASKED_BY_KIND
from reports.serializers import ReportInputSerializer
from reports.services import report_request
from shop.core.errors import ApplicationError, ValidationFailed
from shop.core.idempotency import parse_idempotency_key
from shop.core.pagination import paginate

FIELDS = ("kind", "since", "until")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=needs(P.REPORTS_READ), POST=needs(P.REPORTS_WRITE))
def report_list(request: HttpRequest) -> HttpResponse:
    """Show the caller's reports; queue the form's report."""
    user = cast(User, request.user)
    today = timezone.now().date()
    first = (today.replace(day=1) - datetime.timedelta(days=1)).replace(day=1)
    given: dict[str, str] = {"kind": "statement", "since": str(first), "until": str(today)}
    errors: dict[str, str] = {}
    status = 200
    if request.method == "POST":
        given = {name: request.POST.get(name, "") for name in FIELDS}
        serializer = ReportInputSerializer(data=given)
        if serializer.is_valid():
            try:
                report_request(
                    caller_user=user,
                    idempotency_key=parse_idempotency_key(request.POST.get("idempotency_key")),
                    **serializer.validated_data,
                )
            except ApplicationError as error:
                status = error.status
                errors = {item.attr or "": item.detail for item in error.errors}
            else:
                messages.success(request, "The report is queued; it will be mailed to you.")
                return redirect("report_list")
        else:
            status = 400
            errors = {name: str(problems[0]) for name, problems in serializer.errors.items()}
    page: Any = None
    try:
        page = paginate(
            selectors.reports_for(user),
            cursor=request.GET.get("cursor"),
            moment_field="created_at",
        )
    except ValidationFailed as error:
        status, errors = 400, {"": error.errors[0].detail}
    context = {
        "page": page,
        "reports": page.items if page else [],
        "given": given,
        "errors": errors,
        "kinds": [(kind.value, kind.label) for kind in ASKED_BY_KIND if may_request(user, kind)],
        "idempotency_key": uuid.uuid4(),
        "everything": may_see_all_reports(user),
        "unverified": "" if verified_address(user) else user.email,
    }
    return render(request, "reports/list.html", context, status=status)
