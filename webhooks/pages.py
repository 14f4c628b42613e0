"""The pages of webhooks: the list with a form, and one webhook with its deliveries."""

from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.permissions import Permission as P
from accounts.rules import needs, requires
from events.types import declared, readable
from shop.core.errors import (
    ApplicationError,
    FieldError,
    NotFound,
    ValidationFailed,
    error_response,
)
from shop.core.pagination import paginate_keys
from webhooks import addresses, services
from webhooks.models import BATCH_MAX, URL_MAX_LENGTH, Endpoint
from webhooks.ranges import names_of, numbers_of
from webhooks.selectors import (
    changes_all,
    deliveries_of,
    delivery_of,
    endpoint_of,
    endpoints_for,
    sees_all,
)

LABELS = {
    "url": gettext_lazy("Address"),
    "events": gettext_lazy("Events"),
    "scope": gettext_lazy("Whose events"),
    "batch": gettext_lazy("Events in one message, at most"),
    "after": gettext_lazy("After the position"),
    "until": gettext_lazy("Up to the position"),
}
SCOPES = {"mine": gettext_lazy("My own"), "all": gettext_lazy("Everybody's")}
REASONS = {
    "": "",
    "owner": gettext_lazy("It was disabled by hand."),
    "gone": gettext_lazy("Its receiver answered that it is gone (410)."),
    "failing": gettext_lazy("Its receiver failed ten times in three days."),
    "rights": gettext_lazy("Its owner may no longer read these events."),
}
STATES = {
    "pending": (gettext_lazy("Waiting"), "", "hourglass"),
    "delivered": (gettext_lazy("Delivered"), "good", "circle-check"),
    "failed": (gettext_lazy("Failed"), "bad", "circle-alert"),
}
KINDS = {
    "live": "",
    "replay": gettext_lazy("replay"),
    "test": gettext_lazy("test"),
}

PAGE_SIZE = 25


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=needs(P.WEBHOOKS_READ), POST=needs(P.WEBHOOKS_WRITE))
def webhook_list(request: HttpRequest) -> HttpResponse:
    """Show the webhooks, and make one from the form. Its secret is shown once."""
    user = cast(User, request.user)
    context: dict[str, Any] = {}
    errors: dict[str, str] = {}
    given: Mapping[str, Any] = request.POST
    status = 200
    if request.method == "POST":
        try:
            made = _make(user, request)
            context |= {"made": made, "secret": services.secret_of(made)}
            given = {}
        except ApplicationError as error:
            status, errors = error.status, _by_field(error)
    page: Any = None
    try:
        page = paginate_keys([endpoints_for(user)], cursor=request.GET.get("cursor"))
    except ValidationFailed as error:
        status, errors = 400, errors | {"": error.errors[0].detail}
    context |= {
        "rows": [(each, names_of(each.types)) for each in (page.items if page else ())],
        "links": page.links() if page else {},
        "everything": sees_all(user),
        "given": given,
        "errors": errors,
        "labels": LABELS,
        "scopes": SCOPES.items() if changes_all(user) else (),
        "url_max": URL_MAX_LENGTH,
        "batch_max": BATCH_MAX,
        "choices": _choices(user, request.POST.getlist("events") if errors else []),
    }
    return render(request, "webhooks/list.html", context, status=status)


def _make(user: User, request: HttpRequest) -> Endpoint:
    given = request.POST
    types = numbers_of(given.getlist("events"))
    url = given.get("url", "").strip()
    addresses.check(url)
    batch = _number(given.get("batch") or "1", "batch", least=1, most=BATCH_MAX)
    with transaction.atomic():
        return services.endpoint_create(
            actor=user,
            url=url,
            types=types,
            everything=given.get("scope") == "all",
            batch=batch,
        )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=needs(P.WEBHOOKS_READ), POST=needs(P.WEBHOOKS_WRITE))
def webhook(request: HttpRequest, id: UUID) -> HttpResponse:
    """Show a webhook and its deliveries; do what a button of the page asks for."""
    user = cast(User, request.user)
    errors: dict[str, str] = {}
    context: dict[str, Any] = {}
    status = 200
    try:
        endpoint = endpoint_of(user, id, to_change=request.method == "POST")
    except NotFound as error:
        return error_response(request, error)
    if request.method == "POST":
        try:
            action = _ACTIONS.get(request.POST.get("action", ""))
            if action is None:
                raise ValidationFailed([FieldError("invalid", _("There is no such button."))])
            said = action(user, endpoint, request.POST)
            if action is _delete:
                messages.success(request, said)
                return redirect("webhook_list")
            endpoint = endpoint_of(user, id, to_change=True)
            if action is not _rotate:
                messages.success(request, said)
                return redirect("webhook", id)
            context["secret"] = services.secret_of(endpoint)
        except ApplicationError as error:
            status, errors = error.status, _by_field(error)
    shown = request.GET.get("state", "")
    shown = shown if shown in STATES else ""
    page: Any = None
    try:
        page = paginate_keys(
            [deliveries_of(endpoint, shown).prefetch_related("log")],
            cursor=request.GET.get("cursor"),
            page_size=PAGE_SIZE,
        )
    except ValidationFailed as error:
        status, errors = 400, errors | {"": error.errors[0].detail}
    context |= {
        "endpoint": endpoint,
        "events": names_of(endpoint.types),
        "choices": _choices(user, names_of(endpoint.types)),
        "reason": REASONS[endpoint.disabled_reason],
        "may_change": endpoint.owner_id == user.pk or changes_all(user),
        "deliveries": [(each, KINDS[each.kind]) for each in (page.items if page else ())],
        "links": page.links(urlencode({"state": shown}) if shown else "") if page else {},
        "shown": shown,
        "states": STATES,
        "errors": errors,
        "labels": LABELS,
        "given": request.POST if errors else {"url": endpoint.url},
        "url_max": URL_MAX_LENGTH,
        "delete_fields": [("action", "delete")],
    }
    return render(request, "webhooks/webhook.html", context, status=status)


def _save(user: User, endpoint: Endpoint, given: Any) -> str:
    url = given.get("url", "").strip()
    if url != endpoint.url:
        addresses.check(url)
    services.endpoint_change(
        actor=user, endpoint=endpoint, url=url, types=numbers_of(given.getlist("events"))
    )
    return _("The webhook is changed.")


def _enable(user: User, endpoint: Endpoint, given: Any) -> str:
    services.endpoint_change(actor=user, endpoint=endpoint, state=Endpoint.State.ACTIVE)
    return _("The webhook goes on with the first event that was not delivered.")


def _disable(user: User, endpoint: Endpoint, given: Any) -> str:
    services.endpoint_change(actor=user, endpoint=endpoint, state=Endpoint.State.DISABLED)
    return _("The webhook gets nothing until you enable it.")


def _test(user: User, endpoint: Endpoint, given: Any) -> str:
    with transaction.atomic():
        services.test_send(endpoint=endpoint)
    return _("A test is being sent. See below how it went.")


def _rotate(user: User, endpoint: Endpoint, given: Any) -> str:
    with transaction.atomic():
        services.secret_rotate(actor=user, endpoint=endpoint, overlap_hours=services.OVERLAP_HOURS)
    return ""


def _replay(user: User, endpoint: Endpoint, given: Any) -> str:
    until = given.get("until", "").strip()
    with transaction.atomic():
        first, _until = services.replay_start(
            actor=user,
            endpoint=endpoint,
            after=_number(given.get("after", ""), "after"),
            until=_number(until, "until") if until else None,
        )
    if first is None:
        return _("There is no event for this webhook between these positions.")
    return _("The events are being sent again.")


def _retry(user: User, endpoint: Endpoint, given: Any) -> str:
    with transaction.atomic():
        delivery = delivery_of(endpoint, given.get("delivery", ""))
        services.delivery_retry(endpoint=endpoint, delivery=delivery)
    return _("It is being tried again.")


def _delete(user: User, endpoint: Endpoint, given: Any) -> str:
    services.endpoint_delete(actor=user, endpoint=endpoint)
    return _("The webhook is deleted.")


_ACTIONS: dict[str, Callable[[User, Endpoint, Any], str]] = {
    "save": _save,
    "enable": _enable,
    "disable": _disable,
    "test": _test,
    "rotate": _rotate,
    "replay": _replay,
    "retry": _retry,
    "delete": _delete,
}


def _choices(user: User, chosen: list[str]) -> list[tuple[str, str, bool]]:
    """Return the name of each type of events that the user may read, what it is, and if chosen."""
    allowed = readable(user.permissions, everything=False)
    return [
        (type.name, type.description, type.name in chosen)
        for type in declared()
        if type.number in allowed or type.name in chosen
    ]


def _number(text: str, name: str, *, least: int = 0, most: int = 2**63 - 1) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise ValidationFailed([FieldError("invalid", _("Give a whole number."), name)])
    return int(text)


def _by_field(error: ApplicationError) -> dict[str, str]:
    return {item.attr or "": _(item.detail) for item in error.errors}
