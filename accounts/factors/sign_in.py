"""The pages that ask for a second factor or a passkey: at the sign-in, and to confirm who it is."""

from collections.abc import Callable
from typing import Any, cast

from allauth.account.internal.decorators import login_stage_required
from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.internal.stagekit import clear_login
from allauth.account.models import Login
from allauth.account.utils import get_next_redirect_url
from allauth.account.views import BaseReauthenticateView
from allauth.core.internal import ratelimit
from allauth.mfa.models import Authenticator
from allauth.mfa.stages import AuthenticateStage
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.factors import passkeys
from accounts.factors.codes import Type, code_use, has_second_factor
from accounts.factors.forms import CodeForm, PasskeyForm
from accounts.factors.pages import OPTIONS, show_refusal
from accounts.factors.passkeys import PasskeyRefused, Purpose
from accounts.factors.relying_party import relying_party_id
from accounts.models import User
from accounts.rules import ON_PAGES, OPEN, requires
from shop.core.errors import ApplicationError, NotFound, error_response

_BOTH = ["GET", "HEAD", "POST"]


def _refused() -> str:
    return _("The passkey was not accepted. Try again, or use another way.")


@require_http_methods(_BOTH)
@requires(GET=OPEN, POST=OPEN)
@login_stage_required(stage=AuthenticateStage.key, redirect_urlname="account_login")
def authenticate(request: HttpRequest) -> HttpResponse:
    """Ask for the second factor of somebody who has given the first."""
    stage = request._login_stage  # type: ignore[attr-defined]
    user = cast(User, stage.login.user)
    if not has_second_factor(user):
        # It was removed meanwhile, so the sign-in starts anew.
        clear_login(request)
        return redirect("account_login")
    if request.method != "POST" and OPTIONS in request.GET and relying_party_id():
        return JsonResponse(passkeys.use_begin(request, Purpose.SECOND_FACTOR, user))
    kinds = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    has_app = Type.TOTP in kinds
    form, status = CodeForm(has_app=has_app), 200
    if request.method == "POST" and "credential" in request.POST:
        answer = PasskeyForm(request.POST)
        try:
            if not answer.is_valid():
                raise PasskeyRefused()
            given = answer.cleaned_data["credential"]
            passkey = passkeys.use_complete(request, Purpose.SECOND_FACTOR, given, user)
        except PasskeyRefused:
            messages.error(request, _refused())
        else:
            record_authentication(request, user, "mfa", id=passkey.pk, type=passkey.type)
            return cast(HttpResponse, stage.exit())
    elif request.method == "POST":
        form = CodeForm(request.POST, has_app=has_app)
        if form.is_valid():
            try:
                kind = code_use(user, form.cleaned_data["code"])
            except ApplicationError as error:
                status = show_refusal(form, "code", error)
            else:
                record_authentication(request, user, "mfa", type=kind)
                return cast(HttpResponse, stage.exit())
    context = {
        "form": form if kinds - {Type.WEBAUTHN} else None,
        "with_passkey": Type.WEBAUTHN in kinds and bool(relying_party_id()),
    }
    return render(request, "mfa/authenticate.html", context, status=status)


@never_cache
@require_http_methods(_BOTH)
@requires(GET=OPEN, POST=OPEN)
@ratelimit.decorator(app="allauth.mfa", action="webauthn_login", limit_get=True)
def passkey_login(request: HttpRequest) -> HttpResponse:
    """Sign in with a passkey, which is both factors at once."""
    if not relying_party_id():
        return error_response(request, NotFound())
    if request.user.is_authenticated:
        return redirect("account_login")
    if request.method != "POST":
        if OPTIONS in request.GET:
            return JsonResponse(passkeys.use_begin(request, Purpose.SIGN_IN))
        return redirect("account_login")
    form = PasskeyForm(request.POST)
    try:
        if not form.is_valid():
            raise PasskeyRefused()
        passkey = passkeys.use_complete(request, Purpose.SIGN_IN, form.cleaned_data["credential"])
    except PasskeyRefused:
        messages.error(request, _refused())
        return redirect("account_login")
    user = passkey.user
    record_authentication(request, user, "mfa", id=passkey.pk, type=passkey.type, passwordless=True)
    login = Login(user=user, redirect_url=get_next_redirect_url(request))
    return cast(HttpResponse, perform_login(request, login))


class _Reauthenticate(BaseReauthenticateView):
    """A page that confirms who somebody is, and leads back to what they were about to do."""

    def confirmed(self, **how: Any) -> HttpResponse:
        """Note the confirmation, and go on."""
        record_authentication(self.request, self.request.user, "mfa", reauthenticated=True, **how)
        # The form of allauth's class only leads back.
        return cast(HttpResponse, super().form_valid(self.get_form()))


class CodeReauthenticateView(_Reauthenticate):
    """Confirms by a code."""

    form_class = CodeForm
    template_name = "mfa/reauthenticate.html"

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            kind = code_use(cast(User, self.request.user), form.cleaned_data["code"])
        except ApplicationError as error:
            status = show_refusal(form, "code", error)
            return self.render_to_response(self.get_context_data(form=form), status=status)
        return self.confirmed(type=kind)


class PasskeyReauthenticateView(_Reauthenticate):
    """Confirms by a passkey."""

    form_class = PasskeyForm
    template_name = "mfa/webauthn/reauthenticate.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = cast(User, request.user)
        if OPTIONS in request.GET and relying_party_id():
            return JsonResponse(passkeys.use_begin(request, Purpose.CONFIRM, user))
        return cast(HttpResponse, super().get(request, *args, **kwargs))

    def form_valid(self, form: Any) -> HttpResponse:
        given, user = form.cleaned_data["credential"], cast(User, self.request.user)
        try:
            passkey = passkeys.use_complete(self.request, Purpose.CONFIRM, given, user)
        except PasskeyRefused:
            return self.form_invalid(form)
        return self.confirmed(id=passkey.pk, type=passkey.type)

    def form_invalid(self, form: Any) -> HttpResponse:
        messages.error(self.request, _refused())
        return cast(HttpResponse, super().form_invalid(form))


def _signed_in(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    return never_cache(require_http_methods(_BOTH)(requires(GET=ON_PAGES, POST=ON_PAGES)(view)))


reauthenticate_by_code = _signed_in(CodeReauthenticateView.as_view())
reauthenticate_by_passkey = _signed_in(PasskeyReauthenticateView.as_view())
