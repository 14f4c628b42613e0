"""One batch of a run: the next customers, and an invoice for each of them and each currency."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from billing.invoices.composing import (
    Bought,
    Composed,
    Known,
    Request,
    composed,
    first_moment,
    moment_of,
)
from billing.invoices.drafts import claim
from billing.invoices.issuing import Order, issue_documents
from billing.invoices.models import LINES_MAX, Draft, Kind
from billing.parties.buyers import buyers_of
from billing.runs.models import Run
from billing.site_settings import BILLING_DUE_DAYS
from purchases.sql import array
from shop.core.database import execute_prepared, fetch_prepared, one_round_trip
from shop.core.errors import ApplicationError

ACCOUNTS = 400
"""Accounts that are looked at, at most, for one batch."""
INVOICES = 200
LINES = 20_000
FAILURES_NAMED = 100

# What erased customers bought stays in the ledger, and nobody is there to be billed.
_GROUPS = """
SELECT account.id, bought.currency, bought.count
  FROM (SELECT id FROM accounts_user WHERE id > %(reached)s AND NOT is_client
           AND NOT EXISTS (SELECT FROM personal_erasure AS erasure
                            WHERE erasure.account_id = accounts_user.id
                              AND erasure.erased_at IS NOT NULL)
         ORDER BY id LIMIT %(accounts)s) AS account
  LEFT JOIN LATERAL (
    SELECT purchase.currency, count(*) AS count FROM purchases_purchase AS purchase
     WHERE purchase.customer_id = account.id
       AND purchase."timestamp" >= %(since)s AND purchase."timestamp" < %(until)s
       AND NOT EXISTS (SELECT FROM billing_claim WHERE billing_claim.purchase = purchase.id)
     GROUP BY purchase.currency) AS bought ON true
 ORDER BY account.id, bought.currency
"""
_PURCHASES = """
SELECT purchase.customer_id, purchase.currency, purchase.id, purchase.item, purchase.quantity,
       purchase.price, purchase.currency, purchase."timestamp"
  FROM unnest(%(customers)s::bigint[], %(currencies)s::text[]) AS wanted (customer, currency)
  JOIN purchases_purchase AS purchase
    ON purchase.customer_id = wanted.customer AND purchase.currency = wanted.currency
 WHERE purchase."timestamp" >= %(since)s AND purchase."timestamp" < %(until)s
   AND NOT EXISTS (SELECT FROM billing_claim WHERE billing_claim.purchase = purchase.id)
 ORDER BY purchase.customer_id, purchase.currency, purchase."timestamp", purchase.id
"""
_LINKS = """
INSERT INTO billing_runinvoice (run_id, waits, document_id)
SELECT %s, %s, document FROM unnest(%s::uuid[]) AS document
"""


class Group(NamedTuple):
    """What one customer bought in one currency."""

    customer: int
    currency: str
    lines: int


class Done(NamedTuple):
    """What a batch did. ``reached`` is the last account; ``None`` if there is none after it."""

    reached: int | None
    invoices: int
    failures: list[dict[str, Any]]


def batch(run: Run, *, invoices: int = INVOICES) -> Done:
    """Issue the next invoices of a run in the caller's transaction, under one lock of the series.

    Raise ``AlreadyInvoiced`` where somebody issued an invoice meanwhile, after which the caller
    rolls back and tries again.
    """
    values = _values(run)
    found = next_groups(run, invoices)
    if found is None:
        return Done(None, 0, [])
    reached, groups = found
    failures = []
    small = []
    for group in groups:
        if group.lines > LINES_MAX:
            failures.append(_failure(group, "too_many_lines"))
        else:
            small.append(group)
    bought = _bought(small, values)
    known = Known.of(purchase for purchases in bought.values() for purchase in purchases)
    made: list[tuple[Group, Composed]] = []
    for group in small:
        # Somebody may have issued an invoice since the groups were counted.
        if purchases := bought.get((group.customer, group.currency)):
            try:
                made.append((group, composed(group.customer, purchases, Request(), known)))
            except ApplicationError as error:
                failures.append(_failure(group, error.errors[0].code))
    if run.issue:
        _issue(run, made)
    else:
        _draft(run, made)
    return Done(reached, len(made), failures)


def next_groups(run: Run, most: int) -> tuple[int, list[Group]] | None:
    """Return the last account of the next batch, and its groups; ``None`` after the last one."""
    rows = fetch_prepared(_GROUPS, _values(run))
    return _next(rows, most) if rows else None


def _values(run: Run) -> dict[str, Any]:
    return {
        "since": first_moment(),
        "until": moment_of(run.until, ends=True),
        "reached": run.reached,
        "accounts": ACCOUNTS,
    }


def _next(rows: Sequence[tuple[int, str | None, int]], most: int) -> tuple[int, list[Group]]:
    """Return the last account of the batch and its groups, which are not too many together."""
    groups: list[Group] = []
    lines, reached = 0, 0
    for customer, of_customer in _by_customer(rows):
        lines += sum(min(group.lines, LINES_MAX + 1) for group in of_customer)
        if groups and (len(groups) + len(of_customer) > most or lines > LINES):
            break
        groups += of_customer
        reached = customer
    return reached, groups


def _by_customer(
    rows: Sequence[tuple[int, str | None, int]],
) -> Iterator[tuple[int, list[Group]]]:
    found: dict[int, list[Group]] = {}
    for customer, currency, count in rows:
        of_customer = found.setdefault(customer, [])
        if currency is not None:
            of_customer.append(Group(customer, currency, count))
    return iter(found.items())


def _bought(groups: Sequence[Group], values: dict[str, Any]) -> dict[tuple[int, str], list[Bought]]:
    found: dict[tuple[int, str], list[Bought]] = {}
    wanted: dict[str, Any] = {
        "customers": array(group.customer for group in groups),
        "currencies": array(group.currency for group in groups),
    }
    for customer, currency, *purchase in fetch_prepared(_PURCHASES, {**values, **wanted}):
        found.setdefault((customer, currency), []).append(Bought(*purchase))
    return found


def _issue(run: Run, made: Sequence[tuple[Group, Composed]]) -> None:
    if not made:
        return
    buyers = buyers_of([group.customer for group, _ in made])
    orders = [
        Order(
            id,
            group.customer,
            run.requested_by_id,
            each.body,
            buyers[group.customer],
            BILLING_DUE_DAYS.value,
        )
        for id, (group, each) in zip(_ids(len(made)), made, strict=True)
    ]
    claim(
        (line.purchase, order.id)
        for order in orders
        for line in order.body.lines
        if line.purchase is not None
    )
    with one_round_trip():
        # The links come before the lock of the series; their foreign key is checked at the commit.
        execute_prepared(_LINKS, [run.pk, run.send, array(order.id for order in orders)])
        issue_documents(Kind.INVOICE, orders)


def _ids(count: int) -> list[UUID]:
    """Return keys in the order of time, as the rows of the tables get them."""
    rows = fetch_prepared("SELECT uuidv7() FROM generate_series(1, %s)", [count])
    return [id for (id,) in rows]


def _draft(run: Run, made: Sequence[tuple[Group, Composed]]) -> None:
    Draft.objects.bulk_create(
        Draft(
            customer_id=group.customer,
            currency=group.currency,
            request=msgspec.to_builtins(Request(until=run.until, currency=group.currency)),
            content=msgspec.to_builtins(each),
            created_by_id=run.requested_by_id,
        )
        for group, each in made
    )


def _failure(group: Group, code: str) -> dict[str, Any]:
    return {"customer": group.customer, "currency": group.currency, "code": code}
