"""Where a captcha is asked for, and what a solved one is good for.

``CAPTCHA`` says where: ``off``, on the ``pages`` of sign-up, or ``everywhere``, which is also at
sign-in and in the API. Unless it is ``off``, whoever has used up the free tries of an address may
solve one instead of waiting.
"""

from django.core.cache import cache
from django.http import HttpRequest
from django.utils.translation import gettext_noop

from accounts.captcha.challenges import is_solved
from accounts.site_settings import CAPTCHA
from shop.core.admission import network_of
from shop.core.errors import ApplicationError

HOURLY_FROM_ONE_ADDRESS = 200


class CaptchaRequired(ApplicationError):
    """A captcha is asked for, and there is none."""

    code = "captcha_required"
    detail = gettext_noop("Solve a captcha first, and send its solution with the form.")
    attr = "captcha"


class CaptchaInvalid(ApplicationError):
    """The captcha is not solved, was used, is too old, or is for something else."""

    code = "captcha_invalid"
    detail = gettext_noop("This captcha is not solved, or it was used before. Solve a new one.")
    attr = "captcha"


def is_asked(action: str, *, page: bool) -> bool:
    """Return whether a captcha is needed for the action, on its page or in the API."""
    if CAPTCHA.value == "pages":
        return page and action == "sign_up"
    return bool(CAPTCHA.value == "everywhere")


def check(request: HttpRequest, action: str, payload: str) -> None:
    """Use a captcha up. Raise ``CaptchaRequired`` or ``CaptchaInvalid``.

    A request that has passed once has passed.
    """
    if getattr(request, "captcha_passed", "") == action:
        return
    if not payload:
        raise CaptchaRequired()
    if not is_solved(payload, action):
        raise CaptchaInvalid()
    request.captcha_passed = action  # type: ignore[attr-defined]


def passes(request: HttpRequest, action: str, payload: str) -> bool:
    """Return whether a captcha came that lets the request through instead of waiting.

    One address passes ``HOURLY_FROM_ONE_ADDRESS`` times. Raise ``CaptchaInvalid`` for one that is
    not good.
    """
    if CAPTCHA.value == "off" or not payload:
        return False
    check(request, action, payload)
    key = f"captcha:{network_of(request.META.get('REMOTE_ADDR', ''))}"
    cache.add(key, 0, 3600)
    return bool(cache.incr(key) <= HOURLY_FROM_ONE_ADDRESS)
