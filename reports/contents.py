"""The data of a report, which `reports.rendering` lays out.

The web process imports only this, because it renders nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from documents.rendered import RenderingFailed


class TotalsDisagree(RenderingFailed):
    """The lines do not add up to the totals in the header, so the report is not sent.

    This happens if the caller read the two in different snapshots.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthTotal:
    """One calendar month's totals (UTC) in one currency. `month` is any day of it."""

    month: date
    currency: str
    purchases: int
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyTotal:
    """The whole period's totals in one currency."""

    currency: str
    purchases: int
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLine:
    """One movement of what a customer owes: `more` or `less`, and the document it is about."""

    day: date
    document: str
    what: str
    currency: str
    more: Decimal = Decimal(0)
    less: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBalance:
    """What a customer owes in one currency, below 0 where the shop owes it."""

    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementHeader:
    """A customer's statement without its lines.

    `account` and the balances before and after the period are there only where the shop bills.

    `logo` is a PNG, empty for none.

    `since` and `until` are both part of the period; `generated_at` is aware. `months` and `totals`
    are shown in this order, without entries for months or currencies that have no purchases.
    """

    report_id: UUID | str
    shop_name: str
    username: str
    userid: str
    email: str
    since: date
    until: date
    generated_at: datetime
    months: Sequence[MonthTotal]
    totals: Sequence[CurrencyTotal]
    account: Iterable[AccountLine] = ()
    before: Sequence[AccountBalance] = ()
    after: Sequence[AccountBalance] = ()
    logo: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One purchase. `timestamp` is aware, `price` is per unit, both amounts are in `currency`."""

    timestamp: datetime
    item: str
    quantity: int
    price: Decimal
    currency: str
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesHeader:
    """A sales report without its lines; the fields are those of `StatementHeader`."""

    report_id: UUID | str
    shop_name: str
    since: date
    until: date
    generated_at: datetime
    months: Sequence[MonthTotal]
    totals: Sequence[CurrencyTotal]
    logo: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesLine:
    """One customer's totals of the period in one currency."""

    username: str
    userid: str
    currency: str
    purchases: int
    total: Decimal
