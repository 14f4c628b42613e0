"""The forms of second factors."""

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.factors.codes import CODE_MAX_LENGTH
from accounts.factors.passkeys import CREDENTIAL_MAX_LENGTH, NAME_MAX_LENGTH


class CodeForm(forms.Form):
    """A code of the authenticator app, or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        help_text=_("Six digits of your authenticator app, or one of your recovery codes."),
        max_length=CODE_MAX_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )

    def __init__(self, *args: Any, has_app: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_app:
            self.fields["code"].help_text = _("One of your recovery codes.")


class FirstCodeForm(forms.Form):
    """The first code of a new authenticator app."""

    code = forms.CharField(
        label=_("Code"),
        help_text=_("The six digits that the app shows now."),
        max_length=CODE_MAX_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )


class PasskeyNameForm(forms.Form):
    """What the owner calls a passkey."""

    name = forms.CharField(
        label=_("Name"),
        help_text=_("To tell it from others, such as “phone” or “blue key”."),
        max_length=NAME_MAX_LENGTH,
    )


class PasskeyForm(forms.Form):
    """A browser's answer in a ceremony."""

    credential = forms.CharField(max_length=CREDENTIAL_MAX_LENGTH, widget=forms.HiddenInput)

    def clean_credential(self) -> dict[str, Any]:
        """Return the answer. Raise ``ValidationError`` if it is no JSON object."""
        try:
            answer = json.loads(self.cleaned_data["credential"])
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise forms.ValidationError("This is no answer of a browser.", code="invalid")
        return answer


class NewPasskeyForm(PasskeyNameForm, PasskeyForm):
    """A new passkey, and its name."""
