"""The pages of leads, for the people of their companies."""

from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from quizzes.answering.definitions import definition
from quizzes.companies.access import Role, companies_for, company_for, role_of
from quizzes.companies.models import Company
from quizzes.leads.acts import lead_erase
from quizzes.leads.models import Lead, LeadResult
from quizzes.leads.sealing import opened
from quizzes.leads.selectors import (
    MailState,
    consents_of,
    lead_of,
    leads_of,
    mails_of,
    results_of,
)
from quizzes.pages.titles import title_in, words_in
from shop.core.errors import ApplicationError, NotFound, error_response
from shop.core.pagination import paginate

STATES = {
    Lead.State.NEW.value: (gettext_lazy("Not confirmed"), "warn", "hourglass"),
    Lead.State.CONFIRMED.value: (gettext_lazy("Confirmed"), "good", "circle-check"),
    Lead.State.WITHDRAWN.value: (gettext_lazy("Withdrawn"), "bad", "ban"),
}
MAILS = {
    MailState.WAITING.value: (gettext_lazy("Waiting"), "", "hourglass"),
    MailState.SENT.value: (gettext_lazy("Sent"), "good", "circle-check"),
    MailState.FAILED.value: (gettext_lazy("Not sent"), "bad", "ban"),
    MailState.UNKNOWN.value: (gettext_lazy("Outcome unknown"), "warn", "triangle-alert"),
}
KINDS = {
    "confirm": gettext_lazy("Asks to confirm the address"),
    "result": gettext_lazy("Brings the result"),
}
COMPANIES_MAX = 50


@never_cache
@require_safe
@requires(GET=needs(P.QUIZZES_READ))
def lead_list(request: HttpRequest) -> HttpResponse:
    """Show the leads of a company, newest first."""
    user = cast(User, request.user)
    companies = list(companies_for(user)[:COMPANIES_MAX])
    given = {
        name: request.GET.get(name, "").strip()[:320] for name in ("company", "state", "email")
    }
    errors: dict[str, str] = {}
    company, page, status = None, None, 200
    try:
        company = _company(user, companies, given["company"])
        if company is not None:
            found = leads_of(company, state=given["state"], email=given["email"])
            page = paginate(found, cursor=request.GET.get("cursor"), moment_field="created_at")
    except ApplicationError as error:
        if isinstance(error, NotFound):
            return error_response(request, error)
        status, errors = error.status, {"": error.errors[0].detail}
    query = urlencode({name: value for name, value in given.items() if value})
    shown = page.items if page else ()
    context = {
        "companies": companies,
        "company": company,
        "rows": [(each, *opened(each), STATES[each.state]) for each in shown],
        "links": page.links(query) if page else {},
        "given": given,
        "errors": errors,
        "states": STATES,
        "query": query,
    }
    return render(request, "quizzes/leads/list.html", context, status=status)


def _company(user: User, companies: list[Company], slug: str) -> Company | None:
    if slug:
        return company_for(user, slug)
    return companies[0] if companies else None


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=needs(P.QUIZZES_READ), POST=needs(P.QUIZZES_WRITE))
def lead(request: HttpRequest, company: str, id: UUID) -> HttpResponse:
    """Show a lead, its consents and its results; a POST erases it."""
    user = cast(User, request.user)
    try:
        found = company_for(user, company, Role.OWNER if request.method == "POST" else Role.VIEWER)
        row = lead_of(found, str(id))
        if request.method == "POST":
            lead_erase(actor=user, lead=row)
            messages.success(request, _("The lead is erased."))
            answer = redirect("lead_list")
            answer["Location"] += f"?company={found.slug}"
            return answer
    except ApplicationError as error:
        return error_response(request, error)
    email, name = opened(row)
    mails = mails_of(row)
    context: dict[str, Any] = {
        "company": found,
        "lead": row,
        "email": email,
        "name": name,
        "state": STATES[row.state],
        "results": [_result(contact) for contact in results_of(row)],
        "consents": consents_of(row),
        "mails": [(each, KINDS[each.kind], MAILS[each.state]) for each in mails],
        "is_unknown": any(each.state == MailState.UNKNOWN for each in mails),
        "may_erase": role_of(user, found) == Role.OWNER,
    }
    return render(request, "quizzes/leads/lead.html", context)


def _result(contact: LeadResult) -> dict[str, Any]:
    """Return what a lead left its address for, with the titles of the version of the result."""
    result = contact.result
    whole = definition(result.version_id).quiz
    if whole.settings.headline == "outcome":
        told = title_in(whole, "outcomes", result.outcome)
    else:
        told = title_in(whole, "bands", result.band)
    return {"contact": contact, "quiz": words_in(whole, whole.title), "told": told}
