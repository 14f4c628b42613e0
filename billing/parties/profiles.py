"""The profile that an account's next invoice shows. Issued documents keep what they say."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from accounts.access import check
from accounts.models import USERID_MAX_LENGTH, USERNAME_MAX_LENGTH, User
from accounts.names import normalise
from accounts.permissions import Permission
from audit.services import record
from billing.invoices.selectors import reaches_all
from billing.parties.checking import GIVE_UP
from billing.parties.models import Profile
from billing.parties.vat_ids import is_known_to_vies
from shop.core.errors import FieldError, NotFound, ValidationFailed
from shop.core.text import printable

FIELDS = ("name", "address", "country", "vat_id")


def account_of(user: User, *, username: str, userid: str, change: bool) -> User:
    """Return the account whose profile is meant: the caller's own where no name is given.

    Raise ``NotFound`` for somebody else's that the caller may not see, and ``Forbidden`` where the
    caller may see but not change it.
    """
    if not username and not userid:
        return user
    if username and userid:
        detail = "Give either a username or a userid."
        raise ValidationFailed([FieldError("invalid", detail, "username")])
    found = None
    if username and len(username) <= USERNAME_MAX_LENGTH and printable(username):
        found = User.objects.named(username).first()
    elif userid and len(userid) <= USERID_MAX_LENGTH and printable(userid):
        found = User.objects.filter(userid=normalise(userid)).first()
    if found is not None and found.pk == user.pk:
        return user
    if found is None or not reaches_all(user):
        raise NotFound
    if change:
        check(user.permissions, Permission.BILLING_WRITE_ALL)
    return found


def profile_of(account: User) -> Profile:
    """Return the profile of an account, an empty one where it has none."""
    return Profile.objects.filter(account=account).first() or Profile(account=account)


def profile_set(*, actor: User, account: User, **given: str) -> Profile:
    """Write the whole profile of an account; return it. ``given`` has ``FIELDS``.

    A worker asks about a new VAT id later, so nobody waits for it.
    """
    with transaction.atomic():
        Profile.objects.get_or_create(account=account)
        profile = Profile.objects.select_for_update().get(account=account)
        changed = [name for name in FIELDS if getattr(profile, name) != given[name]]
        if not changed:
            return profile
        for name in changed:
            setattr(profile, name, given[name])
        if "vat_id" in changed:
            profile.vat_check = Profile.VatCheck.UNCHECKED
            profile.vat_checked_at = None
            _plan_check(profile)
        profile.save()
        record(
            "profile.changed",
            object=f"account:{account.pk}",
            actor_id=actor.pk,
            # The chain keeps this for ever, so it names nobody.
            after={"fields": changed},
        )
        profile.refresh_from_db()
    return profile


def _plan_check(profile: Any) -> None:
    asks = settings.BILLING_VAT_CHECK and is_known_to_vies(profile.vat_id)
    profile.vat_next_check_at = Now() if asks else None
    profile.vat_check_until = Now() + GIVE_UP if asks else None
