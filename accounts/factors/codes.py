"""The second factor of a sign-in that has given the first one already.

Pages ask by allauth's login stage. The token route, the JWT route and everything else that hands
out a credential calls ``check_code``. An account without authenticator app and passkey needs no
code.
"""

from datetime import timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts.attempts import TooManyAttempts
from accounts.credentials import InvalidCredentials
from accounts.factors import recovery, totp
from accounts.factors.models import CodeAttempt
from accounts.models import User
from audit.context import actor_id
from audit.services import record
from shop.core.errors import ApplicationError

Type = Authenticator.Type
SECOND_FACTORS = (Type.TOTP, Type.WEBAUTHN)

LIMITS = ((5, 5 * 60), (50, 24 * 3600))
"""How many wrong codes an account may be sent within how many seconds, from all addresses."""
KEPT = timedelta(seconds=max(seconds for _, seconds in LIMITS))
CODE_MAX_LENGTH = 64


class MfaRequired(ApplicationError):
    """The password is right, and the account wants a code besides."""

    status = 401
    code = "mfa_required"
    detail = gettext_noop(
        "This account has a second factor. Send the code of its authenticator app, or a recovery "
        "code, as `code`."
    )


PASSKEYS_ONLY = gettext_noop(
    "This account signs in with a passkey, which programs cannot use. Make a key on the pages, "
    "under Account, Keys."
)


class TooManyCodes(TooManyAttempts):
    """Too many wrong codes for one account. A right one is refused too."""

    detail = gettext_noop("Too many wrong codes. Try again later.")

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.retry_after = seconds


class WrongCode(InvalidCredentials):
    """The code is wrong, or has been used."""

    detail = gettext_noop("The code is wrong, or it has been used already.")


def has_second_factor(user: Any) -> bool:
    """Return whether the account has an authenticator app or a passkey."""
    return Authenticator.objects.filter(user_id=user.pk, type__in=SECOND_FACTORS).exists()


def check_code(user: User, code: str | None, request: HttpRequest) -> str:
    """Use up a code of the account, and return its kind; an empty one if it needs no code.

    Call it once the first factor is right, so that nobody else can use up the wrong codes. Call it
    outside of transactions, because wrong codes must be counted whatever becomes of the request.
    Raise ``MfaRequired`` without a code, ``InvalidCredentials`` for a wrong or used one, and
    ``TooManyAttempts`` after too many.
    """
    kinds = set(Authenticator.objects.filter(user_id=user.pk).values_list("type", flat=True))
    if kinds.isdisjoint(SECOND_FACTORS):
        return ""
    if kinds == {Type.WEBAUTHN} or (not code and Type.TOTP not in kinds):
        raise MfaRequired(PASSKEYS_ONLY)
    if not code:
        raise MfaRequired()
    return code_use(user, code)


def code_use(user: User, code: str) -> str:
    """Use up a code of the account, and return its kind. Raise as ``check_code`` does."""
    attempt = attempt_begin(user)
    kind = _use(user, code)
    if not kind:
        with transaction.atomic():
            # Nobody knows who it was, only whose password they had.
            record("factor.failed", object=f"account:{user.pk}", actor_id=actor_id())
        raise WrongCode()
    attempt.delete()
    return kind


def attempt_begin(user: User) -> CodeAttempt:
    """Count a code before it is compared, so that many at once are no more than one by one.

    Delete the returned row if the code was right. Raise ``TooManyCodes``.
    """
    with transaction.atomic(durable=True):
        User.objects.select_for_update(no_key=True).only("pk").get(pk=user.pk)
        wait = _seconds_to_wait(user)
        if not wait:
            return CodeAttempt.objects.create(user=user)
    raise TooManyCodes(wait)


def _seconds_to_wait(user: User) -> int:
    tried = CodeAttempt.objects.filter(user=user, at__gt=Now() - KEPT).order_by("-at")
    times = list(tried.values_list("at", flat=True)[: max(amount for amount, _ in LIMITS)])
    now = timezone.now()
    waits = [0.0]
    for amount, seconds in LIMITS:
        if len(times) >= amount:
            waits.append(seconds - (now - times[amount - 1]).total_seconds())
    longest = max(waits)
    return int(longest) + 1 if longest > 0 else 0


def _use(user: User, given: str) -> str:
    """Return the kind of the code, or an empty string for a wrong one."""
    code = "".join(given.split())
    if not code.isascii() or len(code) > CODE_MAX_LENGTH:
        return ""
    for authenticator in Authenticator.objects.filter(user=user):
        if authenticator.type == Type.TOTP and totp.use(authenticator, code.replace("-", "")):
            return str(Type.TOTP.value)
        if authenticator.type == Type.RECOVERY_CODES and recovery.use(authenticator, code):
            return str(Type.RECOVERY_CODES.value)
    return ""
