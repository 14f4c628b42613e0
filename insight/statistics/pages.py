"""The page of the statistics: one's own figures, or the shop's."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.access import Caller
from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from insight.statistics.board import Board, board
from insight.statistics.questions import may_see_all
from insight.statistics.typed import PageQuestion, page_question
from shop.core.errors import ApplicationError
from shop.core.replica import database_for

LABELS = {
    "since": _("From"),
    "until": _("To"),
    "interval": _("By"),
    "compare": _("Compare with"),
    "currency": _("Currency"),
    "item": _("Item, its whole name"),
    "username": _("Customer, by name"),
}
INTERVALS = [
    ("", _("as fits the period")),
    ("hour", _("hour")),
    ("day", _("day")),
    ("week", _("week")),
    ("month", _("month")),
    ("year", _("year")),
]
COMPARISONS = [
    ("", _("nothing")),
    ("previous", _("the period before")),
    ("year", _("the year before")),
]


@require_safe
@requires(GET=needs(P.INSIGHT_READ))
def statistics(request: HttpRequest) -> HttpResponse:
    """Show sales by period, the items and customers that bought most, and when people buy."""
    caller = Caller.of(request.user)
    asked: PageQuestion | None = None
    shown: Board | None = None
    errors: dict[str, str] = {}
    status = 200
    try:
        asked = page_question(caller, request.GET, timezone.now())
        shown = board(asked, database_for(caller.id), everything=may_see_all(caller))
    except ApplicationError as error:
        if error.status >= 500:
            raise
        status = error.status
        errors = {item.attr or "": item.detail for item in error.errors}
    context = {
        "asked": asked,
        "board": shown,
        "given": request.GET,
        "errors": errors,
        "labels": LABELS,
        "intervals": INTERVALS,
        "comparisons": COMPARISONS,
        "everything": may_see_all(caller),
    }
    return render(request, "insight/statistics.html", context, status=status)
