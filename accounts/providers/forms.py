"""The form of a sign-up through a provider."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.socialaccount import forms as allauth
from django.utils.translation import gettext_lazy as _

from accounts.emails import email_proved, email_taken
from accounts.forms import SignupForm, Worded
from accounts.providers.adapter import proved_address


class ProviderSignupForm(Worded, allauth.SignupForm):
    """Asks for a username, and for an address unless the provider has verified one."""

    labels = SignupForm.labels
    hints = {
        "username": SignupForm.hints["username"],
        "email": _("Statements and codes to sign in are mailed to it."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.proved = proved_address(self.sociallogin)
        if self.proved:
            self.fields["email"].disabled = True
            self.initial["email"] = self.proved
            self.fields["email"].help_text = _("Your provider has verified it.")

    def validate_unique_email(self, value: str) -> str:
        """Return the address. Raise ``ValidationError`` if it is taken."""
        taken = email_proved if value == self.proved else email_taken
        if taken(value):
            raise get_adapter().validation_error("email_taken")
        return value
