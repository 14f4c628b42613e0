"""The buyer, as the next document of an account names them."""

from collections.abc import Sequence

from allauth.account.models import EmailAddress

from accounts.models import User
from billing.content import Buyer
from billing.parties.models import Profile


def buyer_of(account: User) -> Buyer:
    """Return the buyer of one account."""
    return buyers_of([account])[account.pk]


def buyers_of(accounts: Sequence[User]) -> dict[int, Buyer]:
    """Return the buyer of each account by its id: its profile, or its username where it has none.

    ``email`` is the account's verified address. Two queries.
    """
    ids = [account.pk for account in accounts]
    profiles = Profile.objects.in_bulk(ids)
    verified = {
        (user, email.lower())
        for user, email in EmailAddress.objects.filter(user__in=ids, verified=True).values_list(
            "user", "email"
        )
    }
    buyers = {}
    for account in accounts:
        profile = profiles.get(account.pk) or Profile()
        known = (account.pk, account.email.lower()) in verified
        buyers[account.pk] = Buyer(
            name=profile.name or account.username,
            address=profile.address,
            country=profile.country,
            vat_id=profile.vat_id,
            userid=account.userid,
            email=account.email if known else "",
        )
    return buyers
