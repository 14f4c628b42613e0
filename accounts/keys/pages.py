"""The pages of one's own keys."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.keys import services
from accounts.keys.serializers import NAME_MAX_LENGTH, KeyInputSerializer
from accounts.models import Token, User
from accounts.permissions import Permission, codes
from accounts.rules import ON_PAGES, RECENT, requires
from accounts.sessions.recent import is_recent
from accounts.ways import way_back
from accounts.wording import PARTS, WORDS
from shop.core.errors import ApplicationError, NotFound, error_response

LABELS = {
    "name": _("Name"),
    "permissions": _("What it may do"),
    "networks": _("Only from these networks"),
    "expires_at": _("Ends"),
}
LIVES: dict[str, Any] = {
    "": _("Never"),
    "30": _("In 30 days"),
    "90": _("In 90 days"),
    "365": _("In a year"),
}
OVERLAPS = {
    "0": _("The old key ends now"),
    "3600": _("The old key ends in an hour"),
    "86400": _("The old key ends in a day"),
    "604800": _("The old key ends in a week"),
}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=ON_PAGES, POST=RECENT)
def key_list(request: HttpRequest) -> HttpResponse:
    """Show the keys, and make one from the form, which is shown once."""
    user = cast(User, request.user)
    given = _given(request.POST if request.method == "POST" else request.GET)
    context: dict[str, Any] = {"lives": LIVES.items(), "overlaps": OVERLAPS.items()}
    status, errors = 200, {}
    if request.method == "POST":
        try:
            fields = _parsed(given)
            made = services.key_create(
                user=user,
                name=fields["name"],
                permissions=services.parse_permissions(fields["permissions"]),
                expires_at=_end(given["life"]),
                networks=fields["networks"],
            )
            context |= {"made": made.key, "text": made.text}
            given = _given(QueryDict())
        except ApplicationError as error:
            status, errors = error.status, _errors(error)
    keys = services.keys_of(user).order_by("-created", "-digest")
    rows = [(key, _permissions_of(key)) for key in keys]
    return render(
        request,
        "accounts/keys.html",
        context | {"rows": rows} | _form(user, given, errors),
        status=status,
    )


Page = Callable[..., HttpResponse]


def _of_the_caller(view: Page) -> Page:
    """Answer 404 for a key that is not the caller's."""

    @wraps(view)
    def shown(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, **kwargs)
        except NotFound as error:
            return error_response(request, error)

    return shown


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=ON_PAGES, POST=ON_PAGES)
@_of_the_caller
def key_detail(request: HttpRequest, id: UUID) -> HttpResponse:
    """Show a key, and change it by the form."""
    user = cast(User, request.user)
    key = services.key_of(user, id)
    if request.method == "POST":
        given = _given(request.POST)
    else:
        given = _given(request.GET) if request.GET else _stored(key)
    status, errors = 200, {}
    if request.method == "POST":
        try:
            fields = _parsed(given)
            changes = services.Changes(
                fields["name"],
                services.parse_permissions(fields["permissions"]),
                fields["networks"],
            )
            services.key_change(user=user, key_id=id, changes=changes, may_widen=is_recent(request))
        except services.Widens:
            back = way_back(request, has_page=True)
            return redirect_to_login(back, reverse("account_reauthenticate"))
        except ApplicationError as error:
            status, errors = error.status, _errors(error)
        else:
            messages.success(request, gettext("The key was changed."))
            return redirect("key_list")
    context = {"key": key} | _form(user, given, errors)
    return render(request, "accounts/key.html", context, status=status)


@never_cache
@require_http_methods(["POST"])
@requires(POST=RECENT)
@_of_the_caller
def key_rotate(request: HttpRequest, id: UUID) -> HttpResponse:
    """Make the successor of a key, and show it once."""
    user = cast(User, request.user)
    given = request.POST.get("overlap", "")
    overlap = int(given) if given in OVERLAPS else services.OVERLAP_SECONDS
    try:
        made = services.key_rotate(user=user, key_id=id, overlap=overlap)
    except (services.AlreadyRotated, services.TooManyKeys) as error:
        messages.error(request, gettext(error.errors[0].detail))
        return redirect("key_list")
    return render(request, "accounts/key_made.html", {"made": made.key, "text": made.text})


@require_http_methods(["POST"])
@requires(POST=ON_PAGES)
@_of_the_caller
def key_end(request: HttpRequest, id: UUID) -> HttpResponse:
    """End a key."""
    services.key_end(user=cast(User, request.user), key_id=id)
    messages.success(request, gettext("The key has ended."))
    return redirect("key_list")


def _given(typed: QueryDict) -> dict[str, Any]:
    return {
        "name": typed.get("name", ""),
        "permissions": typed.getlist("permissions"),
        "networks": typed.get("networks", ""),
        "life": typed.get("life", ""),
    }


def _stored(key: Token) -> dict[str, Any]:
    return {
        "name": key.name,
        "permissions": codes(key.permissions),
        "networks": "\n".join(key.networks or []),
        "life": "",
    }


def _parsed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the form. Raise ``ValidationFailed``, as the API does."""
    serializer = KeyInputSerializer(
        data={
            "name": given["name"],
            "permissions": given["permissions"],
            "networks": given["networks"].replace(",", " ").split(),
        }
    )
    if not serializer.is_valid():
        raise _Invalid(serializer.errors)
    return serializer.validated_data


class _Invalid(ApplicationError):
    """What a form's fields have wrong, by name."""

    def __init__(self, errors: Mapping[str, Any]) -> None:
        super().__init__()
        self.fields = {name: _first(error) for name, error in errors.items()}


def _first(error: Any) -> str:
    while isinstance(error, list | dict):
        error = next(iter(error.values() if isinstance(error, dict) else error))
    return str(error)


def _errors(error: ApplicationError) -> dict[str, str]:
    if isinstance(error, _Invalid):
        return error.fields
    return {each.attr or "": gettext(each.detail) for each in error.errors}


def _end(life: str) -> Any:
    days = int(life) if life in LIVES and life else 0
    return timezone.now() + timedelta(days=days) if days else None


def _form(user: User, given: Mapping[str, Any], errors: Mapping[str, str]) -> dict[str, Any]:
    """Return what the fields of a key need."""
    return {
        "given": given,
        "errors": errors,
        "labels": LABELS,
        "name_max": NAME_MAX_LENGTH,
        "parts": _grid(user.permissions, given["permissions"]),
    }


def _grid(mask: int, chosen: list[str]) -> list[tuple[Any, list[dict[str, Any]]]]:
    """Return the account's permissions by part, and which of them are chosen."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for permission in Permission:
        if permission & mask:
            parts.setdefault(permission.part, []).append(
                {
                    "code": permission.code,
                    "words": WORDS[permission],
                    "checked": permission.code in chosen,
                }
            )
    return [(PARTS[part], choices) for part, choices in parts.items()]


def _permissions_of(key: Token) -> list[str]:
    return codes(key.permissions)
