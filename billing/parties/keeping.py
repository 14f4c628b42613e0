"""How long the buyer stays on an issued document, whoever is erased.

The law asks for the name on an invoice for some years after the year of its issue. Until then it is
only sealed, so no table shows it. An erasure deletes those that are older, and a daily task the
others when their time has come.
"""

from django.conf import settings
from django.db import connection

PAST_KEEPING = f"""NOT EXISTS (
    SELECT FROM billing_document AS kept WHERE kept.id = t.document_id AND kept.issued_on >=
        date_trunc('year', now()) - interval '{settings.BILLING_KEEP_YEARS} years')"""
"""The condition for parties, ``t``, that need not be kept any more."""

_PURGE = f"""
DELETE FROM billing_party AS t
 WHERE EXISTS (SELECT FROM personal_erasure AS erasure
                WHERE erasure.account_id = t.account_id AND erasure.erased_at IS NOT NULL)
   AND {PAST_KEEPING}
"""  # noqa: S608


def parties_purge() -> int:
    """Delete the buyers of erased accounts whose time is over. Return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_PURGE)
        return cursor.rowcount
