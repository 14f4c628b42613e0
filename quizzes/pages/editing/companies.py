"""The page of a company: its name and brand, and its people."""

import base64
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from quizzes.companies import services
from quizzes.companies.access import Role, company_for, members_of, role_of
from quizzes.companies.brand import brand_of
from quizzes.companies.models import NAME_MAX_LENGTH, Company
from quizzes.companies.selectors import roles_of
from quizzes.companies.serializers import LOGO_MAX_LENGTH, brand_data
from quizzes.pages.editing.reaching import by_field, user_of
from shop.core.errors import ApplicationError, FieldError, ValidationFailed, error_response

MEMBERS_SHOWN = 200
LABELS = {
    "name": gettext_lazy("Name"),
    "color": gettext_lazy("Colour of headings and buttons"),
    "accent": gettext_lazy("Colour of links"),
    "logo": gettext_lazy("Logo"),
    "reply_to": gettext_lazy("Answers to mails go to"),
    "imprint_url": gettext_lazy("Imprint"),
    "privacy_url": gettext_lazy("Privacy notice"),
    "retention_days": gettext_lazy("Days that leads are kept"),
    "member": gettext_lazy("User name"),
    "role": gettext_lazy("Role"),
}
ROLES = {
    "viewer": gettext_lazy("Viewer: sees quizzes, results and leads"),
    "editor": gettext_lazy("Editor: makes quizzes, too"),
    "owner": gettext_lazy("Owner: also the brand, the people, and the deletion of leads"),
}
ROLE_NAMES = {
    "viewer": gettext_lazy("Viewer"),
    "editor": gettext_lazy("Editor"),
    "owner": gettext_lazy("Owner"),
}
_TEXTS = ("color", "accent", "reply_to", "imprint_url", "privacy_url")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=needs(P.QUIZZES_READ), POST=needs(P.QUIZZES_WRITE))
def quiz_company(request: HttpRequest, company: str) -> HttpResponse:
    """Show a company; do what a button of the page asks for."""
    is_write = request.method == "POST"
    try:
        found = company_for(request.user, company, Role.OWNER if is_write else Role.VIEWER)
    except ApplicationError as error:
        return error_response(request, error)
    errors: dict[str, str] = {}
    status = 200
    if is_write:
        try:
            messages.success(request, _done(request, found))
            return redirect("quiz_company", found.slug)
        except ApplicationError as error:
            status, errors = error.status, by_field(error)
            found.refresh_from_db()
    members = list(members_of(found).order_by("-pk")[:MEMBERS_SHOWN])
    roles = roles_of(members)
    brand = brand_data(found)
    context = {
        "company": found,
        "logo": brand_of(found).logo,
        "given": request.POST if errors else brand,
        "members": [(each, roles[each.pk], ROLE_NAMES[roles[each.pk]]) for each in members],
        "owns": role_of(request.user, found) == Role.OWNER,
        "roles": ROLES.items(),
        "errors": errors,
        "labels": LABELS,
        "name_max": NAME_MAX_LENGTH,
    }
    return render(request, "quizzes/editing/company.html", context, status=status)


def _done(request: HttpRequest, company: Company) -> str:
    given, actor = request.POST, user_of(request)
    action = given.get("action")
    if action == "brand":
        services.brand_change(actor=actor, company=company, given=_brand(request, company))
        return _("The company is changed.")
    if action in ("member", "leave"):
        account = User.objects.filter(username=given.get("member", "").strip()).first()
        if account is None:
            raise ValidationFailed([FieldError("invalid", _("Nobody has this name."), "member")])
        if action == "leave":
            services.member_remove(actor=actor, company=company, account=account)
            return _("%(name)s has left the company.") % {"name": account.username}
        role = given.get("role", "")
        if role not in ROLES:
            raise ValidationFailed([FieldError("invalid", _("Choose a role."), "role")])
        services.member_put(actor=actor, company=company, account=account, role=role)
        return _("%(name)s has the role.") % {"name": account.username}
    raise ValidationFailed([FieldError("invalid", _("There is no such button."))])


def _brand(request: HttpRequest, company: Company) -> dict[str, Any]:
    given: dict[str, Any] = {name: request.POST.get(name, "").strip() for name in ("name", *_TEXTS)}
    given["logo"] = "" if request.POST.get("no_logo") else brand_of(company).logo
    if (file := request.FILES.get("logo")) is not None:
        # What the picture is, its content says.
        encoded = base64.b64encode(file.read(LOGO_MAX_LENGTH)).decode()
        given["logo"] = f"data:image/png;base64,{encoded}"
    days = request.POST.get("retention_days", "").strip()
    if not (days.isascii() and days.isdigit() and len(days) < 6):
        raise ValidationFailed([FieldError("invalid", _("Give a number."), "retention_days")])
    given["retention_days"] = int(days)
    return given
