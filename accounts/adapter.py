"""How allauth signs people up here."""

from typing import Any

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.shortcuts import redirect
from knox.models import AuthToken

from accounts.models import User
from accounts.services import username_taken

logger = structlog.get_logger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    """Usernames are unique without regard to case; mails carry the shop's name."""

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """Return the username as it is stored; ``ValidationError`` where it is taken."""
        username = super().clean_username(User.normalize_username(username), shallow=True)
        if not shallow and username_taken(username):
            raise forms.ValidationError("A user with that username already exists.", code="taken")
        return username

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

    def set_password(self, user: User, password: str) -> None:
        """Change a password, and revoke every token that the old one got."""
        with transaction.atomic():
            super().set_password(user, password)
            AuthToken.objects.filter(user=user).delete()

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> Any:
        """Save who signs up; on a username taken that very moment, ask for another."""
        try:
            with transaction.atomic():
                return super().save_user(request, user, form, commit)
        except IntegrityError:
            messages.error(request, "A user with that username already exists.")
            raise ImmediateHttpResponse(redirect("account_signup")) from None
