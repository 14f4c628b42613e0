"""The ways into an account, the last of which cannot be removed.

They are a password, a passkey, a configured provider, and a code by mail to a verified address.
"""

from enum import StrEnum

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db.models import Q

from accounts.models import User


class WayIn(StrEnum):
    PASSWORD = "password"  # noqa: S105
    PASSKEY = "passkey"
    PROVIDER = "provider"
    CODE = "code"


def ways_in(
    user: User, *, without: tuple[WayIn, int] | None = None, lock: bool = True
) -> set[WayIn]:
    """Return the ways into an account, perhaps without one passkey, provider or address, by its id.

    With ``lock`` the account stays locked to the end of the transaction. So of two requests that
    each remove a way only one can find the other way still there.
    """
    if lock:
        user = User.objects.select_for_update().get(pk=user.pk)

    def left(way: WayIn) -> Q:
        gone = without is not None and without[0] is way
        return ~Q(pk=without[1]) if gone and without else Q()

    found = {WayIn.PASSWORD} if user.has_usable_password() else set()
    configured = [each.id for each in settings.IDENTITY_PROVIDERS]
    linked = SocialAccount.objects.filter(left(WayIn.PROVIDER), user=user, provider__in=configured)
    if configured and linked.exists():
        found.add(WayIn.PROVIDER)
    if EmailAddress.objects.filter(left(WayIn.CODE), user=user, verified=True).exists():
        found.add(WayIn.CODE)
    passkeys = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)
    if passkeys.filter(left(WayIn.PASSKEY)).exists():
        found.add(WayIn.PASSKEY)
    return found
