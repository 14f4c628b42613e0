"""The pages of signing in with a provider: to it, back from it, and what is linked to it."""

from typing import Any, cast

import structlog
from allauth.account.utils import get_next_redirect_url
from allauth.core.ratelimit import consume, respond_429
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.internal import statekit
from allauth.socialaccount.internal.flows.signup import clear_pending_signup
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.views import signup as _signup
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.providers.links import link_end, links_of
from accounts.providers.openid import Provider, identify
from accounts.providers.outgoing import Busy, ProviderError, Unreachable
from accounts.providers.sessions import session_alone
from accounts.rules import ON_PAGES, ON_PAGES_RECENT, OPEN, requires
from accounts.sessions.recent import is_recent
from shop.core.errors import RETRY_AFTER_SECONDS

logger = structlog.get_logger(__name__)


@require_POST
@requires(POST=OPEN)
def provider_login(request: HttpRequest, id: str) -> HttpResponse:
    """Send the browser to a provider, to sign in or to link it to the account signed in."""
    provider = _provider(request, id)
    if not consume(request, action="login"):
        return cast(HttpResponse, respond_429(request))
    process = AuthProcess.LOGIN
    if request.POST.get("process") == AuthProcess.CONNECT:
        process = AuthProcess.CONNECT
        if not is_recent(request):
            return _confirm_first()
    next_url = get_next_redirect_url(request)
    try:
        provider.prepare()
        with session_alone(request):
            return provider.redirect(request, process, next_url)
    except ProviderError as error:
        return _failed(request, provider, error)


@never_cache
@require_safe
@requires(GET=OPEN)
def provider_callback(request: HttpRequest, id: str) -> HttpResponse:
    """Finish what ``provider_login`` began, when the provider leads the browser back."""
    provider = _provider(request, id)
    with session_alone(request):
        state = statekit.unstash_state(
            request, provider_id=provider.sub_id, state_id=request.GET.get("state", "")
        )
    if state is None:
        return _refused(
            request,
            provider,
            _("This sign-in was begun elsewhere, is finished already, or took over 10 minutes."),
        )
    if request.GET.get("error") == "access_denied":
        messages.info(request, _("You did not sign in with %s.") % provider.name)
        return redirect(_start(state))
    if state.get("process") == AuthProcess.CONNECT and not is_recent(request):
        return _confirm_first()
    try:
        claims = identify(
            provider,
            code=request.GET.get("code", ""),
            verifier=state["pkce_code_verifier"],
            issuer=request.GET.get("iss"),
        )
    except ProviderError as error:
        return _failed(request, provider, error)
    login = provider.sociallogin_from_response(request, claims)
    login.state = state
    try:
        with transaction.atomic():
            return cast(HttpResponse, complete_social_login(request, login))
    except IntegrityError:
        return _refused(
            request, provider, _("Somebody has linked this to another account meanwhile.")
        )


def provider_signup(request: HttpRequest) -> HttpResponse:
    """Make the account of somebody whom a provider knows. Only one form of a session counts."""
    try:
        if request.method != "POST":
            return cast(HttpResponse, _signup(request))
        with session_alone(request):
            return cast(HttpResponse, _signup(request))
    except SocialApp.DoesNotExist:
        # The shop no longer has the provider.
        clear_pending_signup(request)
        return redirect("account_login")


def _confirm_first() -> HttpResponse:
    """Lead to the page that confirms the session, and from there back to the links."""
    back = reverse("socialaccount_connections")
    return redirect(f"{reverse('account_reauthenticate')}?next={back}")


def _start(state: dict[str, Any]) -> str:
    is_link = state.get("process") == AuthProcess.CONNECT
    return "socialaccount_connections" if is_link else "account_login"


def _provider(request: HttpRequest, id: str) -> Provider:
    try:
        return cast(Provider, get_adapter().get_provider(request, id))
    except SocialApp.DoesNotExist:
        raise Http404 from None


def _failed(request: HttpRequest, provider: Provider, error: ProviderError) -> HttpResponse:
    """Say that the provider was of no use. The reason is for the log."""
    logger.warning(
        "provider.failed",
        provider=provider.sub_id,
        kind=type(error).__name__,
        reason=str(error)[:300],
    )
    away = isinstance(error, Unreachable | Busy)
    response = _refused(request, provider, _(error.message), status=503 if away else 400)
    if away:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _refused(
    request: HttpRequest, provider: Provider, message: str, *, status: int = 400
) -> HttpResponse:
    context = {"provider": provider, "message": message}
    return render(request, "account/provider_failed.html", context, status=status)


@requires(GET=ON_PAGES, POST=ON_PAGES_RECENT)
def connections(request: HttpRequest) -> HttpResponse:
    """Show the providers that the account is linked to. A POST ends the link ``account``."""
    user = cast(User, request.user)
    if request.method == "POST":
        link_end(request, user, request.POST.get("account", ""))
        return redirect("socialaccount_connections")
    return render(request, "account/providers.html", {"links": links_of(user)})
