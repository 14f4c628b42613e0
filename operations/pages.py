"""The page of the operating figures, and the part of it that is read again."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_safe

from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from operations.board import SPANS, board
from operations.deploys import deploys
from operations.effects import effects_of

_NEEDED = needs(P.INSIGHT_READ_ALL, detail=gettext_noop("The operating figures are for staff."))
WINDOW = 3600


def _context(request: HttpRequest) -> dict[str, Any]:
    span = request.GET.get("span", "")
    span = span if span in SPANS else "hour"
    labels = {"hour": _("Last hour"), "day": _("Last day"), "week": _("Last week")}
    return {
        "board": board(span),
        "span": span,
        "spans": [
            {"label": labels[each], "url": f"?span={each}", "current": each == span}
            for each in SPANS
        ],
    }


@require_safe
@requires(GET=_NEEDED)
def operations(request: HttpRequest) -> HttpResponse:
    """Show how the site runs."""
    return render(request, "operations/operations.html", _context(request))


@require_safe
@requires(GET=_NEEDED)
def operations_figures(request: HttpRequest) -> HttpResponse:
    """Show only the figures, for the script that puts them in place of the earlier ones."""
    return render(request, "operations/_figures.html", _context(request))


@require_safe
@requires(GET=_NEEDED)
def deploy_effect(request: HttpRequest, id: UUID) -> HttpResponse:
    """Show what a deploy has changed in the hour after it."""
    deploy = deploys().filter(pk=id).first()
    if deploy is None:
        raise Http404
    return render(request, "operations/deploy.html", {"effects": effects_of(deploy, WINDOW)})
