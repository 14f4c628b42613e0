"""The page on which a reader chooses language, time zone and theme, signed in or not."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.reader import COOKIES, THEMES, find_zone, languages, zone_names
from accounts.rules import OPEN, requires

COOKIE_SECONDS = 365 * 24 * 3600


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=OPEN, POST=OPEN)
def preferences(request: HttpRequest) -> HttpResponse:
    """Show the preferences; keep those that a form gives, in the account and in cookies."""
    onward = _onward(request)
    if request.method != "POST":
        return _page(request, _present(request), {}, onward)
    given = {name: request.POST[name].strip() for name in COOKIES if name in request.POST}
    chosen, errors = _checked(given)
    if errors:
        return _page(request, _present(request) | given, errors, onward, status=400)
    if request.user.is_authenticated and chosen:
        User.objects.filter(pk=request.user.pk).update(**chosen)
    # The switch of the theme shows by itself that it has worked.
    if chosen.keys() != {"theme"}:
        with translation.override(chosen.get("language") or translation.get_language()):
            messages.success(request, _("Your preferences are saved."))
    response = redirect(onward or reverse("preferences"))
    for name, value in chosen.items():
        if value:
            response.set_cookie(
                COOKIES[name],
                value,
                max_age=COOKIE_SECONDS,
                samesite="Lax",
                secure=settings.SESSION_COOKIE_SECURE,
            )
        else:
            response.delete_cookie(COOKIES[name], samesite="Lax")
    return response


def _checked(given: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the preferences as they are stored, and what is wrong with the others."""
    chosen: dict[str, str] = {}
    errors: dict[str, str] = {}
    for name, value in given.items():
        if name == "time_zone" and value:
            zone = find_zone(value)
            if zone is None:
                errors[name] = _("There is no such time zone. Write a place such as Europe/Berlin.")
            else:
                chosen[name] = zone.key
        elif not value or value in (languages() if name == "language" else THEMES):
            chosen[name] = value
        else:
            errors[name] = _("Choose one of the list.")
    return chosen, errors


def _present(request: HttpRequest) -> dict[str, str]:
    """Return what the account or, for who is not signed in, the cookies say."""
    if request.user.is_authenticated:
        user: Any = request.user
        return {name: getattr(user, name) for name in COOKIES}
    return {name: request.COOKIES.get(cookie, "") for name, cookie in COOKIES.items()}


def _onward(request: HttpRequest) -> str:
    """Return where the reader came from, if that is a page of this site."""
    url = str(request.POST.get("next") or request.GET.get("next") or "")
    is_ours = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    # Anything else could be the name of a view, or a page below this one.
    return url if is_ours and url.startswith("/") else ""


def _page(
    request: HttpRequest,
    given: dict[str, str],
    errors: dict[str, str],
    onward: str,
    status: int = 200,
) -> HttpResponse:
    by_browser = [("", _("As the browser says"))]
    context = {
        "given": given,
        "errors": errors,
        "next": onward,
        "languages": [*by_browser, *languages().items()],
        "themes": [("", _("As the device says")), ("light", _("Light")), ("dark", _("Dark"))],
        "zones": zone_names(),
        "labels": {"language": _("Language"), "time_zone": _("Time zone"), "theme": _("Theme")},
    }
    return render(request, "accounts/preferences.html", context, status=status)
