"""The pages of the audit: everybody's entries, one entry, and one's own."""

import json
from collections.abc import Collection
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.audit.listing import Shown, entries_matching, entries_of, shown
from accounts.models import WITH_RIGHTS, User
from accounts.permissions import Permission as P
from accounts.rules import ON_PAGES, needs, requires
from accounts.sessions.agents import agent_name
from audit.actions import declared_actions
from audit.health import waiting
from audit.models import Entry
from audit.sealing import chain_reached
from shop.core.apps import page_of_request
from shop.core.errors import NotFound, ValidationFailed, error_response
from shop.core.pagination import paginate

_READERS = needs(P.AUDIT_READ_ALL)
LABELS = {
    "since": gettext_lazy("From"),
    "until": gettext_lazy("To"),
    "actor": gettext_lazy("Who, by name or userid"),
    "account": gettext_lazy("About whom, by name or userid"),
    "action": gettext_lazy("What happened"),
    "object": gettext_lazy("What was changed"),
}
_CHIPS = {
    "since": gettext_lazy("From {}"),
    "until": gettext_lazy("Until {}"),
    "actor": gettext_lazy("By {}"),
    "account": gettext_lazy("About {}"),
    "action": "{}",
    "object": "{}",
}
_EXPORTS = (
    (gettext_lazy("CSV"), "api_audit_csv"),
    (gettext_lazy("JSON lines"), "api_audit_jsonl"),
)
_ICONS = {
    "account": "user",
    "address": "at-sign",
    "factor": "shield-check",
    "key": "key",
    "member": "users",
    "password": "lock",
    "session": "log-out",
    "sessions": "log-out",
    "team": "users",
    "token": "terminal",
}
OWN = 30


@require_safe
@requires(GET=_READERS)
def audit_list(request: HttpRequest) -> HttpResponse:
    """Show everybody's entries, filtered, the newest first."""
    given = {name: request.GET.get(name, "").strip() for name in LABELS}
    query = _query(given)
    reached = chain_reached()
    context: dict[str, Any] = {
        "given": given,
        "labels": LABELS,
        "errors": {},
        "actions": [("", _("Everything")), *sorted(_options().items())],
        "query_without_dates": _without(query, "since", "until").urlencode(),
        "chips": [
            {
                "label": str(_CHIPS[name]).format(value),
                "url": f"?{_without(query, name).urlencode()}",
            }
            for name, value in given.items()
            if value
        ],
        "exports": [
            {"label": label, "url": f"{reverse(route)}?{query.urlencode()}"}
            for label, route in _EXPORTS
        ],
        "length": reached.seq if reached else 0,
        "waiting": waiting()[0],
    }
    try:
        page = paginate(
            entries_matching(given), cursor=request.GET.get("cursor"), number_field="seq"
        )
    except ValidationFailed as error:
        context["errors"] = {each.attr or "": each.detail for each in error.errors}
    else:
        context |= {"entries": shown(page.items), "pages": page.links(query.urlencode())}
    return render(request, "accounts/audit.html", context)


@require_safe
@requires(GET=_READERS)
def audit_entry(request: HttpRequest, seq: int) -> HttpResponse:
    """Show one entry with everything that is known about it."""
    entry = Entry.objects.filter(seq=seq).first()
    if entry is None:
        return error_response(request, NotFound())
    (one,) = shown([entry])
    personal = dict(one.personal or {})
    context = {
        "entry": one,
        "before": _as_text(entry.before),
        "after": _as_text(entry.after),
        "address": personal.pop("address", ""),
        "agent": personal.pop("agent", ""),
        "salt": personal.pop("salt", ""),
        "personal": _as_text(personal or None),
        "erased": bool(entry.commitment) and one.personal is None,
        "request_page": page_of_request(request.user, entry.request_id) if entry.request_id else "",
        "newer": Entry.objects.filter(seq=seq + 1).exists(),
    }
    return render(request, "accounts/audit_entry.html", context)


@require_safe
@requires(GET=ON_PAGES)
def security(request: HttpRequest) -> HttpResponse:
    """Show what happened to the reader's own account, in words."""
    user = cast(User, request.user)
    context: dict[str, Any] = {"cursor_error": ""}
    try:
        page = paginate(
            entries_of(user),
            cursor=request.GET.get("cursor"),
            number_field="seq",
            page_size=OWN,
        )
    except ValidationFailed as error:
        context["cursor_error"] = error.errors[0].detail
    else:
        actors = {each.actor_id for each in page.items if each.actor_id is not None}
        staff = set(User.objects.filter(WITH_RIGHTS, pk__in=actors).values_list("pk", flat=True))
        entries = [_in_words(each, user, staff) for each in shown(page.items, reader=user)]
        context |= {"entries": entries, "pages": page.links()}
    return render(request, "accounts/security.html", context)


def _in_words(each: Shown, reader: User, staff: Collection[int]) -> dict[str, Any]:
    personal = each.personal or {}
    agent = agent_name(personal["agent"]) if "agent" in personal else ""
    text = " · ".join(filter(None, [agent, personal.get("address", "")]))
    if each.entry.actor_id not in (None, reader.pk):
        text = _("By the staff") if each.entry.actor_id in staff else _("By another account")
    elif not text:
        text = _("By the shop itself")
    return {
        "moment": each.entry.at,
        "title": each.words,
        "text": text,
        "icon": _ICONS.get(each.entry.action.partition(".")[0], "history"),
        "kind": "",
    }


def _options() -> dict[str, str]:
    return {action: f"{action}: {words}" for action, words in declared_actions().items()}


def _as_text(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False, indent=2)


def _query(given: dict[str, str]) -> QueryDict:
    query = QueryDict(mutable=True)
    query.update({name: value for name, value in given.items() if value})
    return query


def _without(query: QueryDict, *names: str) -> QueryDict:
    others = query.copy()
    for name in names:
        others.pop(name, None)
    return others
