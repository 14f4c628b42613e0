"""The pages of one's own second factors."""

from base64 import b64encode
from io import BytesIO
from typing import cast

import qrcode
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from qrcode.image.svg import SvgPathFillImage

from accounts.factors import passkeys, recovery, services, totp
from accounts.factors.codes import Type
from accounts.factors.forms import FirstCodeForm, NewPasskeyForm, PasskeyNameForm
from accounts.factors.relying_party import relying_party_id
from accounts.models import User
from accounts.rules import ON_PAGES, ON_PAGES_RECENT, requires
from shop.core.errors import ApplicationError, NotFound, error_response
from shop.core.sealing import Unsealable, seal, unseal

_PENDING = "totp.secret"
OPTIONS = "options"
"""The parameter with which a page's script asks for the options of a ceremony."""


@require_safe
@requires(GET=ON_PAGES)
def overview(request: HttpRequest) -> HttpResponse:
    """Show which second factors the account has, and lead to the pages that change them."""
    user = cast(User, request.user)
    found = list(Authenticator.objects.filter(user=user).order_by("pk"))
    codes = next((each for each in found if each.type == Type.RECOVERY_CODES), None)
    context = {
        "app": next((each for each in found if each.type == Type.TOTP), None),
        "passkeys": [each for each in found if each.type == Type.WEBAUTHN],
        "codes_left": recovery.left(codes) if codes else 0,
        "has_passkeys": bool(relying_party_id()),
        "is_on": any(each.type != Type.RECOVERY_CODES for each in found),
    }
    return render(request, "mfa/index.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=ON_PAGES_RECENT, POST=ON_PAGES_RECENT)
def totp_activate(request: HttpRequest) -> HttpResponse:
    """Show a new secret, and take the first code of the app that has it."""
    user = cast(User, request.user)
    if user.second_factor and Authenticator.objects.filter(user=user, type=Type.TOTP).exists():
        return redirect("mfa_index")
    form = FirstCodeForm(request.POST or None)
    secret = _pending_secret(request, user) if request.method == "POST" else ""
    status = 200
    if secret and form.is_valid():
        try:
            codes = services.totp_add(
                request=request, user=user, secret=secret, code=form.cleaned_data["code"]
            )
        except ApplicationError as error:
            status = show_refusal(form, "code", error)
        else:
            del request.session[_PENDING]
            return _added(request, codes, _("Your authenticator app is set up."))
    if not secret:
        secret = totp.secret_new()
        sealed = seal(secret.encode(), account=user.pk, column=_PENDING)
        request.session[_PENDING] = sealed
    url = get_adapter().build_totp_url(user, secret)
    context = {"form": form, "url": url, "qr": _qr_code(url), "secret": _in_groups(secret)}
    return render(request, "mfa/totp/activate_form.html", context, status=status)


def _pending_secret(request: HttpRequest, user: User) -> str:
    sealed = request.session.get(_PENDING, "")
    try:
        return unseal(sealed, account=user.pk, column=_PENDING).decode()
    except Unsealable:
        return ""


def _in_groups(secret: str) -> str:
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def _qr_code(text: str) -> str:
    image = BytesIO()
    qrcode.make(text, image_factory=SvgPathFillImage).save(image)
    return f"data:image/svg+xml;base64,{b64encode(image.getvalue()).decode()}"


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=ON_PAGES_RECENT, POST=ON_PAGES_RECENT)
def totp_deactivate(request: HttpRequest) -> HttpResponse:
    """Remove the authenticator app."""
    if request.method != "POST":
        return redirect("mfa_index")
    services.totp_remove(request=request, user=cast(User, request.user))
    messages.success(request, _("The authenticator app is removed."))
    return redirect("mfa_index")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=ON_PAGES_RECENT, POST=ON_PAGES_RECENT)
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """Make new recovery codes and show them, this once."""
    if request.method != "POST":
        return redirect("mfa_index")
    codes = services.recovery_codes_make(request=request, user=cast(User, request.user))
    return _show_codes(request, codes)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=ON_PAGES_RECENT, POST=ON_PAGES_RECENT)
def passkey_add(request: HttpRequest) -> HttpResponse:
    """Let the browser make a passkey, and add it."""
    user = cast(User, request.user)
    if not relying_party_id():
        return error_response(request, NotFound())
    if request.method != "POST" and OPTIONS in request.GET:
        return JsonResponse(passkeys.add_begin(request, user))
    form = NewPasskeyForm(request.POST or None)
    status = 200
    if form.is_valid():
        try:
            made = passkeys.add_complete(request, form.cleaned_data["credential"])
            name = form.cleaned_data["name"]
            codes = services.passkey_add(request=request, user=user, name=name, made=made)
        except passkeys.PasskeyRefused:
            form.add_error(None, _("The browser made no passkey that can be used here. Try again."))
        except ApplicationError as error:
            status = show_refusal(form, None, error)
        else:
            return _added(request, codes, _("The passkey is added. You can sign in with it."))
    return render(request, "mfa/webauthn/add_form.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=ON_PAGES_RECENT, POST=ON_PAGES_RECENT)
def passkey_rename(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a passkey another name."""
    user = cast(User, request.user)
    passkey = next((each for each in passkeys.passkeys_of(user) if each.pk == pk), None)
    if passkey is None:
        return error_response(request, NotFound())
    form = PasskeyNameForm(request.POST or None, initial={"name": passkey.data["name"]})
    if form.is_valid():
        services.passkey_rename(request=request, user=user, pk=pk, name=form.cleaned_data["name"])
        return redirect("mfa_index")
    return render(request, "mfa/webauthn/edit_form.html", {"form": form, "passkey": passkey})


@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=ON_PAGES_RECENT, POST=ON_PAGES_RECENT)
def passkey_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a passkey."""
    user = cast(User, request.user)
    if request.method != "POST":
        return redirect("mfa_index")
    try:
        services.passkey_remove(request=request, user=user, pk=pk)
    except NotFound as error:
        return error_response(request, error)
    except ApplicationError as error:
        messages.error(request, _(str(error)))
    else:
        messages.success(request, _("The passkey is removed."))
    return redirect("mfa_index")


def _added(request: HttpRequest, codes: list[str], done: str) -> HttpResponse:
    messages.success(request, done)
    return _show_codes(request, codes) if codes else redirect("mfa_index")


def _show_codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    return render(request, "mfa/recovery_codes/index.html", {"text": "\n".join(codes)})


def show_refusal(form: Form, field: str | None, error: ApplicationError) -> int:
    """Show an error in the form. Return the status of the page, which is 200 for most."""
    form.add_error(field, _(str(error)))
    return error.status if error.status == 429 else 200
