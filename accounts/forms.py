"""allauth's forms that have rules of the shop."""

from typing import Any, cast

from allauth.account import forms as allauth
from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.password_reset import request_password_reset
from allauth.core.exceptions import ImmediateHttpResponse
from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import redirect

from accounts.credentials import LOGIN_MAX_LENGTH
from accounts.emails import (
    ResetLink,
    accounts_to_reset,
    address_prove,
    check_email,
    email_taken,
    lock_email,
    proved_by,
)
from accounts.models import User


class LoginForm(allauth.LoginForm):
    """Sign-in by username or by e-mail address."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = forms.CharField(
            label="Username or e-mail",
            max_length=LOGIN_MAX_LENGTH,
            widget=forms.TextInput(
                attrs={"placeholder": "Username or e-mail", "autocomplete": "username"}
            ),
        )
        self.order_fields(["login", "password"])


class SignupForm(allauth.SignupForm):
    """Sign-up, with the shop's rule which addresses are taken."""

    def validate_unique_email(self, value: str) -> str:
        """Return the address. Raise ``ValidationError`` if it is taken."""
        if email_taken(value):
            raise get_adapter().validation_error("email_taken")
        return value


class ResetPasswordForm(allauth.ResetPasswordForm):
    """Asks for a link. The answer does not tell whether the address has an account."""

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


class UserTokenForm(allauth.UserTokenForm):
    """Checks the two parts of a link."""

    token_generator = ResetLink()


class ResetPasswordKeyForm(allauth.ResetPasswordKeyForm):
    """A new password by a link, which also proves the address that the link was mailed to."""

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
            dropped = address_prove(user, email) if email is not None else None
            if dropped is None:
                messages.error(adapter.request, "This link cannot be used any more.")
                raise ImmediateHttpResponse(redirect("account_reset_password"))
            adapter.set_password(user, self.cleaned_data["password1"])
            for address in dropped:
                adapter.send_notification_mail(
                    "account/email/email_deleted", user, {"deleted_email": address}, email=address
                )
