"""allauth's forms that have rules of the shop."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from allauth.account import forms as allauth
from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.flows.password_reset import request_password_reset
from allauth.core.exceptions import ImmediateHttpResponse
from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.captcha.forms import AsksCaptcha
from accounts.credentials import LOGIN_MAX_LENGTH
from accounts.emails import (
    ResetLink,
    accounts_to_reset,
    address_prove,
    check_email,
    email_taken,
    is_proved,
    lock_email,
    proved_by,
)
from accounts.models import User
from accounts.proofs import older_ends


class Worded(forms.Form):
    """A form of allauth with the labels and hints of the shop, and without placeholders.

    A placeholder disappears as soon as somebody types, so it may not say what a label says.
    """

    labels: ClassVar[Mapping[str, Any]] = {}
    hints: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            field.label = self.labels.get(name, field.label)
            field.help_text = self.hints.get(name, field.help_text)


_RULES = _("At least 8 characters; no common password, nothing like your name, not only digits.")
_ENDS = _("A new password ends all other sessions and all API tokens of the account.")
_PASSWORD_TWICE = {"password1": _("New password"), "password2": _("New password again")}


class LoginForm(AsksCaptcha, Worded, allauth.LoginForm):
    """Sign-in by username or by email address."""

    captcha_action = "sign_in"
    captcha_first = True
    labels = {"login": _("Username or email address"), "password": _("Password")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = forms.CharField(
            label=self.labels["login"],
            max_length=LOGIN_MAX_LENGTH,
            widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
        )
        self.order_fields(["login", "password"])


class SignupForm(AsksCaptcha, Worded, allauth.SignupForm):
    """Sign-up, with the shop's rule which addresses are taken."""

    captcha_action = "sign_up"
    labels = {
        "username": _("Username"),
        "email": _("Email address"),
        "password1": _("Password"),
        "password2": _("Password again"),
    }
    hints = {
        "username": _("You sign in with it, and it stands on your purchases."),
        "email": _("Statements and links to reset a password are mailed to it."),
        "password1": _RULES,
    }

    def validate_unique_email(self, value: str) -> str:
        """Return the address. Raise ``ValidationError`` if it is taken."""
        if email_taken(value):
            raise get_adapter().validation_error("email_taken")
        return value

    def save(self, request: HttpRequest) -> User:
        """Make the account. Its session is a recent one, because the password was just given."""
        user = cast(User, super().save(request))
        record_authentication(request, user, "password")
        return user


class ResetPasswordForm(Worded, allauth.ResetPasswordForm):
    """Asks for a link. The answer does not tell whether the address has an account."""

    labels = {"email": _("Email address")}

    def clean_email(self) -> str:
        """Return the address in lower case, after looking up the accounts that it may reset.

        Strangers get mail, too, so an address that mail cannot reach is refused.
        """
        email: str = self.cleaned_data["email"].lower()
        check_email(email)
        self.users = accounts_to_reset(email)
        return email

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Mail the links."""
        email: str = self.cleaned_data["email"]
        request_password_reset(request, email, self.users, ResetLink(email))
        return email


class AddEmailForm(Worded, allauth.AddEmailForm):
    """Adds an address to the account."""

    labels = {"email": _("Email address")}
    hints = {"email": _("A link is mailed to it. The address counts once you have opened it.")}


class ChangePasswordForm(Worded, allauth.ChangePasswordForm):
    """Changes a password by means of the present one."""

    labels = {"oldpassword": _("Current password"), **_PASSWORD_TWICE}
    hints = {"password1": format_lazy("{} {}", _RULES, _ENDS)}


class SetPasswordForm(Worded, allauth.SetPasswordForm):
    """Sets the first password of an account that has none."""

    labels = _PASSWORD_TWICE
    hints = {"password1": _RULES}


class ReauthenticateForm(Worded, allauth.ReauthenticateForm):
    """Asks for the password again before something that matters."""

    labels = {"password": _("Password")}


class UserTokenForm(allauth.UserTokenForm):
    """Checks the two parts of a link."""

    token_generator = ResetLink()


class ResetPasswordKeyForm(Worded, allauth.ResetPasswordKeyForm):
    """A new password by a link, which also proves the address that the link was mailed to."""

    labels = _PASSWORD_TWICE
    hints = {"password1": format_lazy("{} {}", _RULES, _ENDS)}

    def save(self) -> None:
        """Set the password and make the proved address the only one; everything older ends.

        If two use one link at once, the second is sent back to the link, which is used up by then.
        """
        adapter = get_adapter()
        with transaction.atomic():
            user = cast(User, self.user)
            lock_email(proved_by(user, self.temp_key) or "")
            user.refresh_from_db(from_queryset=User.objects.select_for_update())
            email = proved_by(user, self.temp_key)
            late = email is not None and not is_proved(user, email)
            dropped = address_prove(user, email) if email is not None else None
            if dropped is None:
                messages.error(adapter.request, gettext("This link cannot be used any more."))
                raise ImmediateHttpResponse(redirect("account_reset_password"))
            adapter.set_password(user, self.cleaned_data["password1"])
            if late:
                older_ends(user)
            for address in dropped:
                adapter.send_notification_mail(
                    "account/email/email_deleted", user, {"deleted_email": address}, email=address
                )
