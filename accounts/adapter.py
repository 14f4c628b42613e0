"""What allauth does differently here."""

from typing import Any, NoReturn

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.attempts import TooManyAttempts
from accounts.credentials import InvalidCredentials, account_authenticate, password_confirm
from accounts.emails import check_email, claims_end, email_proved, email_taken, lock_email
from accounts.mailing import mail_queue
from accounts.models import User
from accounts.reader import written_for
from accounts.services import username_taken
from accounts.sessions.recent import is_recent
from accounts.ways_in import WayIn, ways_in
from shop.core.admission import network_of
from shop.core.apps import landing_for
from shop.core.site_settings.general import SITE_NAME

# The way in that sessions record.
SESSION_BACKEND = "django.contrib.auth.backends.ModelBackend"

# The way to confirm a session of an account without a password and without a second factor.
SIGN_IN_AGAIN = "sign_in_again"


_TAKEN_USERNAME = _("A user with that username already exists.")
_TAKEN_EMAIL = _("A user with that email address already exists.")
_WRONG = _("The username or the password is wrong. Check both, and the Caps Lock key.")


class AccountAdapter(DefaultAccountAdapter):
    """Usernames are unique without regard to case; mails carry the shop's name."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "account_inactive": _("This account is closed."),
        "cannot_remove_primary_email": _("The address that gets the mails cannot be removed."),
        "duplicate_email": _("Your account has this address already."),
        "email_taken": _TAKEN_EMAIL,
        "enter_current_password": _("This is not your current password."),
        "incorrect_code": _("This is not the code of the newest mail."),
        "incorrect_password": _("This is not your password."),
        "max_email_addresses": _("An account has %d addresses at most. Remove one first."),
        "rate_limited": _("Too many requests. Wait a little and try again."),
        "too_many_login_attempts": _("Too many failed attempts. Wait a little and try again."),
        # One sentence for both, because two would tell which names have accounts.
        "email_password_mismatch": _WRONG,
        "username_password_mismatch": _WRONG,
    }

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """Return the username as it is stored. Raise ``ValidationError`` if it is taken."""
        username = super().clean_username(User.normalize_username(username), shallow=True)
        if not shallow and username_taken(username):
            raise forms.ValidationError(_TAKEN_USERNAME, code="taken")
        return username

    def clean_email(self, email: str) -> str:
        """Return a new address of an account. Raise ``ValidationError`` if mail cannot reach it."""
        check_email(email)
        return super().clean_email(email)

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Mark an address as proved, which ends all other claims. Return whether it is proved."""
        with transaction.atomic():
            lock_email(email_address.email)
            confirmed = super().confirm_email(request, email_address)
            if confirmed:
                claims_end(email_address.email, owner=email_address.user)
            return confirmed

    def can_delete_email(self, email_address: EmailAddress) -> bool:
        """Return whether an address may be removed: unless it is the last way in, or primary.

        With a second factor one verified address stays, because any other proof would be late and
        end the factor.
        """
        if not email_address.pk or not super().can_delete_email(email_address):
            return not email_address.pk
        left = ways_in(email_address.user, without=(WayIn.CODE, email_address.pk))
        return bool(left) and (WayIn.CODE in left or not email_address.user.second_factor)

    def is_safe_url(self, url: str) -> bool:
        """Return whether a URL leads to this site; ``False`` if it cannot be parsed."""
        return url_has_allowed_host_and_scheme(url, allowed_hosts={self.request.get_host()})

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Return where an account is led after signing in if it asked for no page."""
        if getattr(request.user, "waiting_permissions", 0):
            return reverse("mfa_index")
        route = landing_for(request.user)
        return reverse(route) if route else super().get_login_redirect_url(request)

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address of the client, which ``shop.core.addresses`` has found."""
        return str(request.META.get("REMOTE_ADDR", ""))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Queue one of allauth's mails. Its links begin with ``SITE_URL``, whatever the Host."""
        links = {
            "site_name": SITE_NAME.value,
            "site_url": settings.SITE_URL,
            "signup_url": _link("account_signup"),
        }
        with written_for(context.get("user")):
            message = self.render_mail(template_prefix, email, {"email": email} | context | links)
        mail_queue(
            kind=template_prefix,
            recipient=email,
            subject=str(message.subject),
            body=str(message.body),
            origin=network_of(self.get_client_ip(self.request)) if self.request else "",
        )

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Return the link with which its reader sets a new password."""
        uid, _, token = key.partition("-")
        return _link("account_reset_password_from_key", uidb36=uid, key=token)

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        """Return the link that proves an address."""
        return _link("account_confirm_email", key=emailconfirmation.key)

    def send_account_already_exists_mail(self, email: str) -> None:
        """Queue the mail to an address that has an account already and was signed up again."""
        context = {"password_reset_url": _link("account_reset_password")}
        self.send_mail("account/email/account_already_exists", email, context)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """Return the account of the credentials, or ``None``, by the rules of the token route.

        Raise ``ValidationError`` after too many attempts.
        """
        self.pre_authenticate(request, **credentials)
        try:
            user: Any = account_authenticate(
                request=request,
                login=credentials.get("username", ""),
                password=credentials.get("password", ""),
            )
        except TooManyAttempts:
            raise self.validation_error("too_many_login_attempts") from None
        except InvalidCredentials:
            return None
        self._rollback_login_failed_rl_usage()
        user.backend = SESSION_BACKEND
        return user

    def reauthenticate(self, user: Any, password: str) -> bool:
        """Return whether the password is that of the signed-in user."""
        try:
            return password_confirm(request=self.request, user=user, password=password)
        except TooManyAttempts:
            raise self.validation_error("too_many_login_attempts") from None

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Return whether allauth must ask again before a change.

        Changes of addresses ask for the password again; all others for a recent sign-in. Raise
        ``ReauthenticationRequired`` without one, because allauth takes an account that has no
        password for always recent.
        """
        if not is_recent(self.request):
            raise ReauthenticationRequired()
        return app == "allauth.account"

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """Return the ways to confirm a session. Without one of allauth's it is to sign in again."""
        again = {
            "id": SIGN_IN_AGAIN,
            "description": _("Sign in again"),
            "url": reverse("account_reauthenticate"),
        }
        return super().get_reauthentication_methods(user) or ([again] if user.pk else [])

    def set_password(self, user: User, password: str) -> None:
        """Change a password, which ends the account's sessions and tokens."""
        with transaction.atomic():
            super().set_password(user, password)

    def save_user(
        self,
        request: HttpRequest,
        user: User,
        form: Any,
        commit: bool = True,
        *,
        proved: str = "",
        back: str = "account_signup",
    ) -> Any:
        """Save a new account. If its name or address was taken meanwhile, ask for another one.

        ``proved`` is the address if its owner has proved it by signing in elsewhere. Then no mere
        claim keeps it from the account. ``back`` is the page that asks again.
        """
        # Hash the password before taking the lock, because that takes long.
        user = super().save_user(request, user, form, commit=False)
        # Who signs up on a page in German gets mails in German.
        if (language := get_language()) != settings.LANGUAGE_CODE:
            user.language = language or ""
        try:
            with transaction.atomic():
                lock_email(user.email)
                taken = email_proved if user.email == proved else email_taken
                if taken(user.email):
                    _sign_up_again(request, _TAKEN_EMAIL, back)
                user.save()
                return user
        except IntegrityError:
            _sign_up_again(request, _TAKEN_USERNAME, back)


def _link(name: str, **kwargs: str) -> str:
    return settings.SITE_URL + reverse(name, kwargs=kwargs)


def _sign_up_again(request: HttpRequest, message: Any, back: str) -> NoReturn:
    messages.error(request, message)
    raise ImmediateHttpResponse(redirect(back))
