"""The buyer, as the next document of an account names them."""

from collections.abc import Sequence

from billing.content import Buyer
from purchases.sql import array
from shop.core.database import fetch_prepared

_BUYERS = """
SELECT account.id, coalesce(nullif(profile.name, ''), account.username),
       coalesce(profile.address, ''), coalesce(profile.country, ''), coalesce(profile.vat_id, ''),
       account.userid, coalesce(verified.email, '')
  FROM accounts_user AS account
  LEFT JOIN billing_profile AS profile ON profile.account_id = account.id
  LEFT JOIN LATERAL (
    SELECT account.email FROM account_emailaddress AS address
     WHERE address.user_id = account.id AND address.verified
       AND lower(address.email) = lower(account.email) LIMIT 1) AS verified ON true
 WHERE account.id = ANY (%s::bigint[])
"""


def buyer_of(account_id: int) -> Buyer:
    """Return the buyer of one account."""
    return buyers_of([account_id])[account_id]


def buyers_of(account_ids: Sequence[int]) -> dict[int, Buyer]:
    """Return the buyer of each account by its id: its profile, or its username where it has none.

    ``email`` is the account's verified address. One query.
    """
    rows = fetch_prepared(_BUYERS, [array(account_ids)])
    return {
        id: Buyer(
            name=name, address=address, country=country, vat_id=vat_id, userid=userid, email=email
        )
        for id, name, address, country, vat_id, userid, email in rows
    }
