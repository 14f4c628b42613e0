"""The follower that finds the result which a purchase came of. A buy knows nothing of it.

A coupon that came with a result decides. Else it is the last result that a confirmed lead had
asked for, at an address that the customer has proved, within 30 days before the purchase.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError

from billing.coupons.models import Redemption
from events.followers import Batch, Follower
from purchases.events import RECORDED
from purchases.models import Purchase
from quizzes.answering.models import Result
from quizzes.authoring.models import Quiz
from quizzes.funnel.models import Attribution, Grant
from quizzes.leads.models import Lead, LeadResult
from quizzes.leads.sealing import indexes_of, normalized

DAYS = 30

_ADD = f"""
INSERT INTO {Attribution._meta.db_table}
    (purchase_id, result_id, via, currency, total, bought_at)
"""
_BOUGHT = "p.currency, p.price * p.quantity, p.timestamp"
# An erasure waits for the row lock, so it finds whatever is added here.
_BY_COUPON = f"""
{_ADD}
SELECT * FROM (
    SELECT p.id, g.result_id, 'coupon', {_BOUGHT}
    FROM {Purchase._meta.db_table} p
    JOIN {Redemption._meta.db_table} r ON r.purchase = p.id AND r.releases_id IS NULL
    JOIN {Grant._meta.db_table} g ON g.coupon_id = r.coupon_id AND g.result_id IS NOT NULL
    WHERE p.id = ANY(%s)
    FOR SHARE OF g
) AS found
ON CONFLICT (purchase_id) DO NOTHING
"""  # noqa: S608
_BY_ADDRESS = f"""
WITH matching AS (
    SELECT l.id, t.account FROM unnest(%(companies)s::uuid[], %(indexes)s::bytea[],
                                       %(accounts)s::bigint[]) AS t (company, index, account)
    JOIN {Lead._meta.db_table} l ON l.company_id = t.company AND l.email_index = t.index
    WHERE l.state = 'confirmed'
    FOR SHARE OF l
)
{_ADD}
SELECT DISTINCT ON (p.id) p.id, c.result_id, 'address', {_BOUGHT}
FROM {Purchase._meta.db_table} p
JOIN matching m ON m.account = p.customer_id
JOIN {LeadResult._meta.db_table} c ON c.lead_id = m.id
JOIN {Result._meta.db_table} r ON r.attempt_id = c.result_id AND NOT r.test
WHERE p.id = ANY(%(purchases)s) AND c.confirmed_at <= p.timestamp
  AND r.finished_at > p.timestamp - make_interval(days => %(days)s)
ORDER BY p.id, r.finished_at DESC, r.attempt_id DESC
ON CONFLICT (purchase_id) DO NOTHING
"""  # noqa: S608
# Each company has leads of its own, found by digests of its own.
_COMPANIES = f"""
SELECT DISTINCT q.company_id FROM {LeadResult._meta.db_table} c
JOIN {Result._meta.db_table} r ON r.attempt_id = c.result_id
JOIN {Quiz._meta.db_table} q ON q.id = r.quiz_id
WHERE c.confirmed_at IS NOT NULL AND r.finished_at > (
    SELECT min(timestamp) FROM {Purchase._meta.db_table} WHERE id = ANY(%s)
) - make_interval(days => %s)
"""  # noqa: S608
_RESET = f"""
DELETE FROM {Attribution._meta.db_table} b
WHERE EXISTS (SELECT FROM {Purchase._meta.db_table} p WHERE p.id = b.purchase_id)
"""  # noqa: S608


class Attributions(Follower):
    """Attributes each purchase to one result at most."""

    name = "quizzes.attributions"
    types = (RECORDED,)

    def apply(self, cursor: Any, batch: Batch) -> None:
        """Add the attributions of the batch's purchases."""
        purchases = [row.key for row in batch.events]
        cursor.execute(_BY_COUPON, [purchases])
        companies = _companies(cursor, purchases)
        if companies:
            accounts = {row.customer_id for row in batch.events if row.customer_id is not None}
            _by_address(cursor, purchases, companies, _addresses(accounts))

    def reset(self, cursor: Any) -> None:
        """Remove the attributions, but for those that an erasure has cut from their purchases."""
        cursor.execute(_RESET)


def _companies(cursor: Any, purchases: Sequence[UUID]) -> list[UUID]:
    """Return the companies whose results are young enough for these purchases."""
    cursor.execute(_COMPANIES, [purchases, DAYS])
    return [company for (company,) in cursor.fetchall()]


def _addresses(accounts: set[int]) -> list[tuple[int, str]]:
    """Return the proved addresses of accounts."""
    found = []
    rows = EmailAddress.objects.filter(user__in=accounts, verified=True)
    for account, email in rows.values_list("user_id", "email"):
        try:
            found.append((account, normalized(email)))
        except ValidationError:
            # It was proved before today's rules; no lead has it.
            continue
    return found


def _by_address(
    cursor: Any,
    purchases: Sequence[UUID],
    companies: Sequence[UUID],
    addresses: Sequence[tuple[int, str]],
) -> None:
    texts = [address for _, address in addresses]
    pairs = [
        (company, index, account)
        for company in companies
        for index, (account, _) in zip(indexes_of(company, texts), addresses, strict=True)
    ]
    if pairs:
        named, indexes, accounts = (list(column) for column in zip(*pairs, strict=True))
        cursor.execute(
            _BY_ADDRESS,
            {
                "purchases": purchases,
                "companies": named,
                "indexes": indexes,
                "accounts": accounts,
                "days": DAYS,
            },
        )
