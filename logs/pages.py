"""The pages of the log: a search, and a line with what happened around it."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.permissions import Permission as P
from accounts.permissions import allows
from accounts.rules import needs, requires
from logs.counts import Bucket, histogram, step_for
from logs.levels import LEVELS
from logs.lines import Line, line_of, lines_around
from logs.pages_of_lines import page_of
from logs.search import FIELD, FILTERS, PARTS, Search, search_of
from shop.core import times
from shop.core.charts import Chart, Point, bar_chart
from shop.core.errors import NotFound, ValidationFailed, error_response
from shop.core.pagination import PAGE_SIZE

_NEEDED = needs(P.LOGS_READ_ALL, detail=gettext_noop("The log is for operators."))
BARS = 60
AROUND = 15
SUMMARY_MAX = 300
LABELS = {
    "since": gettext_lazy("From"),
    "until": gettext_lazy("To"),
    "level": gettext_lazy("Level, and above"),
    "part": gettext_lazy("Part"),
    "q": gettext_lazy("Words"),
    "event": gettext_lazy("Event"),
    "request_id": gettext_lazy("Request"),
    "user": gettext_lazy("Account, by name or userid"),
    "instance": gettext_lazy("Process"),
}
_CHIPS: Mapping[str, Any] = {
    "since": gettext_lazy("From {}"),
    "until": gettext_lazy("Until {}"),
    "level": gettext_lazy("{} and above"),
    "request_id": gettext_lazy("Request {}"),
    "user": gettext_lazy("Account {}"),
    "instance": gettext_lazy("Process {}"),
}
KINDS = {"warning": "warn", "error": "bad", "critical": "bad", "info": "", "debug": ""}


@require_safe
@requires(GET=_NEEDED)
def log(request: HttpRequest) -> HttpResponse:
    """Show the lines of a search, the newest first."""
    given = _given(request)
    query = _query(given)
    context: dict[str, Any] = {
        "given": given,
        "labels": LABELS,
        "levels": [("", _("All levels")), *((level, level) for level in LEVELS)],
        "parts": [("", _("All parts")), *((part, part) for part in PARTS)],
        "chips": [
            {
                "label": str(_CHIPS.get(name, "{}")).format(value)
                if not name.startswith(FIELD)
                else f"{name.removeprefix(FIELD)}={value}",
                "url": f"?{_without(query, name).urlencode()}",
            }
            for name, value in given.items()
        ],
        "query": query.urlencode(),
        "export": f"{reverse('api_logs_export')}?{query.urlencode()}",
        "follows": "follow" in request.GET,
        **_found(request, given),
    }
    return render(request, "logs/log.html", context)


@require_safe
@requires(GET=_NEEDED)
def log_lines(request: HttpRequest) -> HttpResponse:
    """Show only the lines, for the script that puts them in place of the earlier ones."""
    return render(request, "logs/_lines.html", _found(request, _given(request)))


@require_safe
@requires(GET=_NEEDED)
def log_line(request: HttpRequest, id: UUID) -> HttpResponse:
    """Show one line, its fields, and what happened around it."""
    line = line_of(id)
    if line is None:
        return error_response(request, NotFound())
    user = User.objects.filter(pk=line.user).first() if line.user is not None else None
    fields = dict(line.fields)
    context = {
        "line": line,
        "kind": KINDS[line.level],
        # "user" is the reader, in every template.
        "account": user,
        "trace": fields.pop("exception", ""),
        "fields": [
            {
                "name": name,
                "text": _text(value),
                "query": ""
                if isinstance(value, dict | list)
                else _query({f"{FIELD}{name}": _text(value)}).urlencode(),
            }
            for name, value in fields.items()
        ],
        "lines": [_shown(each) for each in lines_around(line, AROUND, AROUND)],
        "json": json.dumps(line.as_data(), ensure_ascii=False, indent=2),
    }
    return render(request, "logs/line.html", context)


def lines_of_request(user: Any, request_id: str) -> str:
    """Return the address of a request's lines for who may read them, else an empty string."""
    try:
        may = user.is_authenticated and allows(user.permissions, P.LOGS_READ_ALL)
    except DatabaseError:
        # An error page is shown in an outage, too.
        return ""
    return f"{reverse('log')}?{_query({'request_id': request_id}).urlencode()}" if may else ""


def _found(request: HttpRequest, given: Mapping[str, str]) -> dict[str, Any]:
    try:
        search = search_of(given)
        page = page_of(search, request.GET.get("cursor"), PAGE_SIZE)
    except ValidationFailed as error:
        return {"errors": {each.attr or "": each.detail for each in error.errors}}
    query = _query(given).urlencode()
    return {
        "lines": [_shown(line) for line in page.items],
        "pages": page.links(query),
        "chart": _chart(search) if not request.GET.get("cursor") else None,
        "filtered": bool(given),
    }


def _chart(search: Search) -> Chart | None:
    step = step_for(search, BARS)
    buckets = histogram(search, step)
    if not any(bucket.total for bucket in buckets):
        return None
    return bar_chart(
        [_point(bucket) for bucket in buckets],
        title=_("Log lines"),
        headings=[_("Time"), _("Log lines")],
    )


def _point(bucket: Bucket) -> Point:
    amount = None if bucket.counts is None else bucket.total
    return Point(
        label=times.clock(bucket.at),
        value=amount,
        name=times.short(bucket.at),
        text="" if amount is None else str(amount),
    )


def _shown(line: Line) -> dict[str, Any]:
    told = [f"{name}={_text(value)}" for name, value in line.fields.items() if name != "exception"]
    summary = " ".join(filter(None, [line.message if line.event else "", *told]))[:SUMMARY_MAX]
    return {
        "line": line,
        "kind": KINDS[line.level],
        "title": line.event or line.message[:SUMMARY_MAX],
        "summary": summary,
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _given(request: HttpRequest) -> dict[str, str]:
    names = [*FILTERS, *(name for name in request.GET if name.startswith(FIELD))]
    return {name: text for name in names if (text := request.GET.get(name, "").strip())}


def _query(given: Mapping[str, str]) -> QueryDict:
    query = QueryDict(mutable=True)
    query.update(dict(given))
    return query


def _without(query: QueryDict, name: str) -> QueryDict:
    others = query.copy()
    others.pop(name, None)
    return others
