"""How allauth signs people up here."""

from typing import Any, NoReturn

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.shortcuts import redirect

from accounts.attempts import Attempt, TooManyAttempts
from accounts.models import User
from accounts.services import email_taken, lock_email, username_taken

logger = structlog.get_logger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    """Usernames are unique without regard to case; mails carry the shop's name."""

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """Return the username as it is stored; ``ValidationError`` where it is taken."""
        username = super().clean_username(User.normalize_username(username), shallow=True)
        if not shallow and username_taken(username):
            raise forms.ValidationError("A user with that username already exists.", code="taken")
        return username

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return where the request comes from, which `shop.addresses` has found out."""
        return str(request.META.get("REMOTE_ADDR", ""))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send one of allauth's mails; its templates also get ``site_name``."""
        super().send_mail(template_prefix, email, {"site_name": settings.SITE_NAME, **context})

    def send_confirmation_mail(
        self, request: HttpRequest, emailconfirmation: Any, signup: bool
    ) -> None:
        """Mail the link that verifies an address, or log that it could not be sent.

        The account exists already, and the mail can be asked for again on the pages, so a mail
        server that is away does not fail the sign-up.
        """
        try:
            super().send_confirmation_mail(request, emailconfirmation, signup)
        except OSError as error:
            logger.warning(
                "account.verification_mail_failed",
                user_id=emailconfirmation.email_address.user_id,
                reason=type(error).__name__,
            )

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count an attempt to sign in; ``ValidationError`` where there were too many."""
        super().pre_authenticate(request, **credentials)
        try:
            Attempt(request, credentials.get("username", "")).begin()
        except TooManyAttempts:
            raise self.validation_error("too_many_login_attempts") from None

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """Return whom the credentials belong to, or ``None``."""
        user = super().authenticate(request, **credentials)
        if user is not None:
            Attempt(request, credentials.get("username", "")).succeed()
        return user

    def set_password(self, user: User, password: str) -> None:
        """Change a password, which ends its sessions and tokens with it."""
        with transaction.atomic():
            super().set_password(user, password)

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> Any:
        """Save who signs up; on a name or an address taken that very moment, ask for another."""
        try:
            with transaction.atomic():
                lock_email(form.cleaned_data["email"])
                if email_taken(form.cleaned_data["email"]):
                    _sign_up_again(request, "A user with that e-mail address already exists.")
                return super().save_user(request, user, form, commit)
        except IntegrityError:
            _sign_up_again(request, "A user with that username already exists.")


def _sign_up_again(request: HttpRequest, message: str) -> NoReturn:
    messages.error(request, message)
    raise ImmediateHttpResponse(redirect("account_signup"))
