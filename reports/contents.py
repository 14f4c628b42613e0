"""What a report holds; see `reports.rendering`.

The web process, which renders nothing, needs no more than this.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from documents.rendered import RenderingFailed


class TotalsDisagree(RenderingFailed):
    """The lines do not add up to the totals in the header, so the report must not be sent.

    The caller read the two at different moments; reading both again, in one snapshot, mends it.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthTotal:
    """What one calendar month (UTC) adds up to in one currency. `month` is any day of it."""

    month: date
    currency: str
    purchases: int
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyTotal:
    """What the whole period adds up to in one currency."""

    currency: str
    purchases: int
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementHeader:
    """Everything about a customer's statement but its lines.

    `since` and `until` are both part of the period; `generated_at` is aware. `months` and
    `totals` are shown in the given order and hold no entry for what has no purchases.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One purchase. `timestamp` is aware, `price` is per unit, both amounts in `currency`."""

    timestamp: datetime
    item: str
    quantity: int
    price: Decimal
    currency: str
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesHeader:
    """Everything about a sales report but its lines; the fields are `StatementHeader`'s."""

    report_id: UUID | str
    shop_name: str
    since: date
    until: date
    generated_at: datetime
    months: Sequence[MonthTotal]
    totals: Sequence[CurrencyTotal]


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesLine:
    """What one customer bought in the period in one currency."""

    username: str
    userid: str
    currency: str
    purchases: int
    total: Decimal
