"""Signing in by a code that is mailed.

The answers to known and unknown addresses are alike, and each gets one mail. Whoever reads a mail
has proved its address. If nobody had proved it before, everything older about the account ends.
"""

from typing import Any, cast

from allauth.account import forms as allauth
from allauth.account import views
from allauth.account.adapter import get_adapter
from allauth.core import context
from allauth.core.ratelimit import consume
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from accounts.emails import account_to_sign_in, check_email
from accounts.forms import Worded
from accounts.models import User
from accounts.proofs import address_proved_late
from accounts.providers.sessions import session_alone


class RequestCodeForm(Worded, allauth.RequestLoginCodeForm):
    """Asks for a code. The answer does not tell whether the address has an account."""

    labels = {"email": _("Email address")}

    def clean_email(self) -> str:
        """Return the address in lower case, after looking up its account.

        Strangers get a mail, too, so an address that mail cannot reach is refused.
        """
        email: str = self.cleaned_data["email"].lower()
        check_email(email)
        if not consume(context.request, action="request_login_code", key=email):
            raise get_adapter().validation_error("too_many_login_attempts")
        self._user = account_to_sign_in(email)
        return email


class ConfirmCodeForm(Worded, allauth.ConfirmLoginCodeForm):
    """Asks for the code of the mail."""

    labels = {"code": _("Code")}
    hints = {"code": _("Eight letters; the dash and capitals do not matter.")}


class RequestCodeView(views.RequestLoginCodeView):
    """Mails a code, also to somebody who waits for another one."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Answer; allauth would lead from here to the code that is waited for."""
        if request.user.is_authenticated:
            return super().dispatch(request, *args, **kwargs)
        return super(views.RedirectAuthenticatedUserMixin, self).dispatch(request, *args, **kwargs)


request_login_code = RequestCodeView.as_view()


class ConfirmCodeView(views.ConfirmLoginCodeView):
    """Signs in by the right code. The third wrong one ends the attempt."""

    def form_invalid(self, form: Any) -> HttpResponse:
        """Count a wrong code. It takes as long if the address has no account."""
        if self._process.user is None:
            User.objects.order_by("pk").first()
        return cast(HttpResponse, super().form_invalid(form))

    def _verify_form_valid(self, form: Any) -> HttpResponse:
        email, user = self._process.state.get("email"), self._process.user
        # The account may be out of this address's reach since the mail was sent.
        if user is None or account_to_sign_in(email) != user:
            form.add_error("code", get_adapter().validation_error("incorrect_code"))
            return self.form_invalid(form)
        address_proved_late(self.request, cast(User, user), email)
        return cast(HttpResponse, super()._verify_form_valid(form))


_confirm = ConfirmCodeView.as_view()


def confirm_login_code(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Take one try of a session at a time, so that a code is used once and every try counts."""
    if request.method != "POST":
        return cast(HttpResponse, _confirm(request, *args, **kwargs))
    with session_alone(request):
        return cast(HttpResponse, _confirm(request, *args, **kwargs))
