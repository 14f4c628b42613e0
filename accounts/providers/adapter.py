"""What allauth does differently here with people whom a provider knows."""

from typing import Any, NoReturn

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, _build_apps_from_settings
from allauth.socialaccount.models import SocialApp, SocialLogin
from django import forms
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.translation import gettext

from accounts.emails import claims_end, lock_email
from accounts.models import User
from accounts.providers.links import link_record


class SocialAdapter(DefaultSocialAccountAdapter):
    """Providers come from the environment only, and no account is ever found by an address."""

    def list_apps(
        self, request: HttpRequest, provider: Any = None, client_id: Any = None
    ) -> list[SocialApp]:
        """Return the configured providers, in order."""
        found = _build_apps_from_settings(provider=provider, client_id=client_id)
        return [app for apps in found.values() for app in apps]

    def is_email_verified(self, provider: Any, email: str) -> bool:
        """Return ``False``; only the provider's own claim counts."""
        return False

    def authenticate_by_email(self, sociallogin: SocialLogin) -> None:
        """Return ``None``; a provider that lies about an address would open the account."""

    def is_auto_signup_allowed(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Return ``False``; people choose their usernames."""
        return False

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: Any) -> User:
        """Put into the new account what the form of the sign-up proposes."""
        user: User = sociallogin.user
        user.email = data.get("email") or ""
        user.username = _proposed(data.get("username") or "")
        return user

    def serialize_instance(self, instance: Any) -> dict[str, Any]:
        """Return what a session keeps of an object; of an account, what finds or proposes it."""
        if isinstance(instance, User):
            return {"id": instance.pk, "username": instance.username, "email": instance.email}
        kept: dict[str, Any] = super().serialize_instance(instance)
        return kept

    def deserialize_instance(self, model: Any, data: Any) -> Any:
        """Return the object of which a session has kept this. Raise ``ValueError``."""
        if model is not User:
            return super().deserialize_instance(model, data)
        if data["id"] is None:
            return User(username=data["username"], email=data["email"], password="!")  # noqa: S106
        user = User.objects.filter(pk=data["id"]).first()
        if user is None:
            raise ValueError("the account is gone")
        return user

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """Save a new account with its link to the provider. A proved address ends all claims."""
        user: User = sociallogin.user
        proved = proved_address(sociallogin)
        try:
            with transaction.atomic():
                if proved:
                    lock_email(proved)
                get_account_adapter().save_user(
                    request, user, form, proved=proved, back="account_login"
                )
                if proved:
                    # First, because allauth verifies no address that others have, too.
                    claims_end(proved, owner=user)
                sociallogin.save(request)
                link_record("provider.linked", user, sociallogin.account.provider)
        except IntegrityError:
            # The person has finished another sign-up meanwhile.
            _start_again(request)
        return user


def proved_address(sociallogin: SocialLogin) -> str:
    """Return the address that the provider has verified, or an empty string."""
    sociallogin.email_addresses = [each for each in sociallogin.email_addresses if each.verified]
    return next((str(each.email) for each in sociallogin.email_addresses), "")


def _proposed(username: str) -> str:
    try:
        proposed: str = get_account_adapter().clean_username(username) if username else ""
    except forms.ValidationError:
        return ""
    return proposed


def _start_again(request: HttpRequest) -> NoReturn:
    messages.error(request, gettext("You have an account by now. Sign in to it."))
    raise ImmediateHttpResponse(redirect("account_login"))
