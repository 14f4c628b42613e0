"""Forms that ask for a captcha."""

from typing import Any, ClassVar

from allauth.core import context
from django import forms
from django.utils.translation import gettext

from accounts.captcha.checks import CaptchaInvalid, CaptchaRequired, check, is_asked
from accounts.site_settings import CAPTCHA


class AsksCaptcha(forms.Form):
    """A form that asks for a captcha where the settings say so, or after too many attempts.

    ``captcha_wanted`` tells the page to show one. What its script has found is in the field
    ``captcha``, which is no field of the form, because nobody types it.
    """

    captcha_action: ClassVar[str]
    captcha_first: ClassVar[bool] = False
    captcha_wanted = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.captcha_wanted = is_asked(self.captcha_action, page=True)
        # Code that counts attempts sees the request alone.
        if context.request is not None:
            context.request.captcha_given = str(self.data.get("captcha", ""))

    def _check(self) -> None:
        if self.captcha_wanted and not self.errors:
            check(context.request, self.captcha_action, context.request.captcha_given)

    def clean(self) -> Any:
        """Ask for the captcha: before a password is looked at, or of a form that is all right."""
        try:
            if self.captcha_first:
                self._check()
            cleaned = super().clean()
            self._check()
            return cleaned
        except (CaptchaInvalid, CaptchaRequired) as error:
            self.captcha_wanted = True
            raise forms.ValidationError(gettext(error.detail), code=error.code) from None
        except forms.ValidationError as error:
            if error.code == "too_many_login_attempts" and CAPTCHA.value != "off":
                self.captcha_wanted = True
            raise
