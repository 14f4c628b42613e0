"""The dashboard: how the day goes, for who may see everybody's figures."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_safe

from accounts.access import Caller, may_record, may_see_everything
from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from insight.attention import attention
from insight.board import board
from insight.figures import figures_for
from purchases.selectors import recorded_lately, to_purchase_data
from shop.core.replica import database_for

RECENT = 10
_NEEDED = needs(
    P.INSIGHT_READ_ALL, P.PURCHASES_READ_ALL, detail=gettext_noop("The dashboard is for staff.")
)


def _figures(caller: Caller) -> dict[str, Any]:
    figures = figures_for(timezone.get_current_timezone(), database_for(caller.id))
    return {
        "board": board(figures),
        "attention": attention(caller),
        "may_read": may_see_everything(caller),
    }


@require_safe
@requires(GET=_NEEDED)
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show the day's figures, what needs attention, and the newest purchases."""
    caller = Caller.of(request.user)
    context = _figures(caller) | {"may_record": may_record(caller)}
    if context["may_read"]:
        rows, position = recorded_lately(caller, everything=True, limit=RECENT)
        recent = [to_purchase_data(purchase) for purchase in rows]
        context |= {"position": position, "recent": recent, "scope": "all", "show_customers": True}
    return render(request, "insight/dashboard.html", context)


@require_safe
@requires(GET=_NEEDED)
def dashboard_figures(request: HttpRequest) -> HttpResponse:
    """Show only the figures, for the script that puts them in place of the earlier ones."""
    return render(request, "insight/_figures.html", _figures(Caller.of(request.user)))
