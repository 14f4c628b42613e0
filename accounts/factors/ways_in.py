"""The ways to sign in to an account, of which the last cannot be removed."""

from allauth.account import app_settings
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.utils.translation import gettext_noop

from accounts.factors.relying_party import relying_party_id
from accounts.models import User
from shop.core.errors import Conflict


class LastWayIn(Conflict):
    """Without what is to be removed nobody could sign in to the account."""

    code = "last_way_in"
    detail = gettext_noop(
        "This is the last way to sign in to the account. Set a password or add a passkey first."
    )


def ways_in(user: User) -> set[str]:
    """Return the ways to sign in: ``password``, ``passkey``, ``provider``, ``code`` by mail."""
    ways = set()
    if user.has_usable_password():
        ways.add("password")
    passkeys = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)
    if relying_party_id() and passkeys.exists():
        ways.add("passkey")
    if apps.is_installed("allauth.socialaccount"):
        providers = apps.get_model("socialaccount", "SocialAccount")._default_manager
        if providers.filter(user=user).exists():
            ways.add("provider")
    verified = EmailAddress.objects.filter(user=user, verified=True)
    if app_settings.LOGIN_BY_CODE_ENABLED and verified.exists():
        ways.add("code")
    return ways


def check_way_left(user: User) -> None:
    """Raise ``LastWayIn`` if nobody can sign in to the account any more.

    Call it after the removal, in its transaction and behind ``lock_account``. Then the removal is
    rolled back, and of two removals at once the second is refused.
    """
    if not ways_in(user):
        raise LastWayIn()


def lock_account(user: User) -> None:
    """Wait, inside a transaction, for every other change of the account's ways in; read it anew."""
    user.refresh_from_db(from_queryset=User.objects.select_for_update(no_key=True))
