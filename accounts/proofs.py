"""What ends when an address is proved for the first time, long after its account was made.

Anybody may sign up with somebody else's address, and wait. So whoever proves the address later, as
the reader of its mail, must not share the account with whoever made it.
"""

from dataclasses import asdict

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.emails import address_prove, claims_end, email_proved, is_proved, lock_email
from accounts.factors.services import factors_end
from accounts.models import User
from accounts.sessions.ending import Ended, end_credentials
from audit.context import actor_id
from audit.services import record


def older_ends(user: User) -> Ended:
    """End every session, token, key, passkey, second factor and provider link of the account.

    Call it in the transaction that proves an address. The password and the other addresses are the
    caller's to end.
    """
    links, _rows = SocialAccount.objects.filter(user=user).delete()
    factors_end(user)
    ended = end_credentials(user, reason="email-verified-late")
    record(
        "account.proved_late",
        object=f"account:{user.pk}",
        actor_id=actor_id() or user.pk,
        after={"ended": asdict(ended), "links": links},
    )
    return ended


def address_proved_late(request: HttpRequest, user: User, email: str) -> bool:
    """End everything older of the account if this is the first proof of its address.

    Return whether it was. Call it in a transaction, before the session of the prover begins.
    """
    if not _first_proof(request, user, email):
        return False
    messages.warning(
        request,
        _(
            "Nobody had verified your address before. So the account's password, its keys and all "
            "other sign-ins have ended. You can set a new password."
        ),
    )
    return True


def address_verified(request: HttpRequest, address: EmailAddress) -> bool:
    """Take an address for proved, because staff says so. Return whether no other account has it.

    An account that has proved no address yet keeps nothing older, since anybody could have made it.
    Call it in a transaction.
    """
    user = address.user
    if not EmailAddress.objects.filter(user=user, verified=True).exists():
        return _first_proof(request, user, address.email.lower())
    lock_email(address.email)
    if email_proved(address.email):
        return False
    address.verified = True
    address.save(update_fields=["verified"])
    claims_end(address.email, owner=user)
    return True


def _first_proof(request: HttpRequest, user: User, email: str) -> bool:
    if is_proved(user, email) or address_prove(user, email) is None:
        return False
    user.set_unusable_password()
    user.save(update_fields=["password"])
    older_ends(user)
    get_adapter(request).send_notification_mail(
        "account/email/older_ended", user, {"user": user}, email=email
    )
    return True
