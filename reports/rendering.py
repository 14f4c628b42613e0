"""Statements and sales reports as PDF: data in, one PDF file out, in the language that is active.

A report of any length takes flat memory, as :mod:`documents.volumes` describes.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from documents.measure import isolated
from documents.rendered import Rendered
from documents.volumes.layout import VOLUME_PAGES, Pages, Table
from documents.volumes.typeset import TIME_LIMIT, Imprint, typeset
from reports.contents import (
    AccountBalance,
    CurrencyTotal,
    MonthTotal,
    SalesHeader,
    SalesLine,
    StatementHeader,
    StatementLine,
    TotalsDisagree,
)
from shop.core.money import bare, decimal_mark
from shop.core.times import long_day
from shop.core.times import month as month_in_full


def _tables() -> Mapping[str, Table]:
    # The longest valid numbers fit on one line: 12 digits for a price, 7 for a quantity, and their
    # product.
    return {
        "months": Table(
            (_("Month"), _("Purchases"), _("Currency"), _("Total")),
            (200.0, 95.0, 85.0, 125.0),
            ("left", "right", "left", "right"),
        ),
        "purchases": Table(
            (
                _("Time (UTC)"),
                _("Item"),
                _("Quantity"),
                _("Unit price"),
                _("Currency"),
                _("Total"),
            ),
            (82.0, 186.0, 45.0, 63.0, 45.0, 84.0),
            ("left", "left", "right", "right", "left", "right"),
        ),
        "account": Table(
            (
                _("Day (UTC)"),
                _("Document"),
                _("What"),
                _("Currency"),
                _("Owed more"),
                _("Owed less"),
            ),
            (70.0, 125.0, 105.0, 45.0, 80.0, 80.0),
            ("left", "left", "left", "left", "right", "right"),
        ),
        "customers": Table(
            (_("Username"), _("Userid"), _("Purchases"), _("Currency"), _("Total")),
            (180.0, 105.0, 60.0, 60.0, 100.0),
            ("left", "left", "right", "left", "right"),
        ),
    }


def render_statement(
    *,
    header: StatementHeader,
    lines: Iterable[StatementLine],
    output: Path,
    time_limit: float = TIME_LIMIT,
    volume_pages: int = VOLUME_PAGES,
) -> Rendered:
    """Write one customer's statement as a PDF to `output`, replacing it only when complete.

    `lines` is read once and may be of any length; consecutive lines of one month (UTC) stand
    under one heading and bookmark. The same input gives the same bytes.

    Raise `TotalsDisagree`, `RenderingTimeout` after `time_limit` seconds of typesetting,
    `RenderingFailed` when typesetting fails otherwise, `ValueError` for an amount with more than
    two decimals or a time without an offset, and `OSError` when the disk is full.
    """
    period = _period(header.since, header.until)
    facts = [
        (_("Customer"), header.username, _("Period"), period),
        (_("Userid"), header.userid, _("Generated"), _moment(header.generated_at)),
        (_("Email"), header.email or "–", _("Report"), str(header.report_id)),
    ]
    with tempfile.TemporaryDirectory(dir=output.parent, prefix="report-") as folder:
        pages = Pages(Path(folder), _tables(), volume_pages)
        _write_front(pages, header, facts)
        _write_account(pages, header)
        check = _Check(header.totals)
        month: tuple[int, int] | None = None
        for line in lines:
            timestamp = _utc(line.timestamp)
            if (timestamp.year, timestamp.month) != month:
                month = (timestamp.year, timestamp.month)
                words = _("Purchases in %(month)s") % {"month": month_in_full(timestamp)}
                pages.start_table("purchases", words)
            price, total = (_money(amount, line.currency) for amount in (line.price, line.total))
            check.add(line.currency, 1, line.total)
            pages.add_row(
                [
                    timestamp.isoformat(" ", "seconds")[:19],
                    line.item,
                    str(line.quantity),
                    price,
                    line.currency,
                    total,
                ]
            )
        check.finish()
        who = f"{isolated(pages.show(header.username))} ({isolated(pages.show(header.userid))})"
        return _typeset(pages, header, _("Statement of purchases"), who, output, time_limit)


def render_sales(
    *,
    header: SalesHeader,
    lines: Iterable[SalesLine],
    output: Path,
    time_limit: float = TIME_LIMIT,
    volume_pages: int = VOLUME_PAGES,
) -> Rendered:
    """Write the shop's sales, customer by customer, as a PDF to `output`.

    It works like `render_statement`, and raises the same errors.
    """
    facts = [
        (
            _("Period"),
            _period(header.since, header.until),
            _("Generated"),
            _moment(header.generated_at),
        ),
        ("", "", _("Report"), str(header.report_id)),
    ]
    with tempfile.TemporaryDirectory(dir=output.parent, prefix="report-") as folder:
        pages = Pages(Path(folder), _tables(), volume_pages)
        _write_front(pages, header, facts)
        check = _Check(header.totals)
        started = False
        for line in lines:
            if not started:
                pages.start_table("customers", _("Customers"))
                started = True
            check.add(line.currency, line.purchases, line.total)
            pages.add_row(
                [
                    line.username,
                    line.userid,
                    str(line.purchases),
                    line.currency,
                    _money(line.total, line.currency),
                ]
            )
        check.finish()
        return _typeset(pages, header, _("Sales by customer"), "", output, time_limit)


# Formats of the shown values


def _utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError("A report needs times with an offset.")
    return moment.astimezone(UTC)


def _moment(moment: datetime) -> str:
    # Unlike `strftime` this writes every year in four digits.
    return _utc(moment).isoformat(" ", "seconds")[:19] + " UTC"


def _period(since: date, until: date) -> str:
    if since == until:
        return long_day(since)
    return _("%(since)s to %(until)s") % {"since": long_day(since), "until": long_day(until)}


def _money(amount: Decimal, currency: str) -> str:
    """Return the amount as "1195.30" or "1195,30", without decimals for currencies like JPY."""
    text = f"{amount:.2f}"
    if Decimal(text) != amount:
        raise ValueError("An amount in a report has more than two decimals.")
    return bare(text, currency).replace(".", decimal_mark())


class _Check:
    """Adds up lines, and compares the sums with the totals in the header."""

    def __init__(self, claimed: Iterable[CurrencyTotal | MonthTotal]) -> None:
        self.purchases: defaultdict[str, int] = defaultdict(int)
        self.totals: defaultdict[str, Decimal] = defaultdict(Decimal)
        for entry in claimed:
            self.add(entry.currency, -entry.purchases, -entry.total)

    def add(self, currency: str, purchases: int, total: Decimal) -> None:
        self.purchases[currency] += purchases
        self.totals[currency] += total

    def finish(self) -> None:
        for currency, total in self.totals.items():
            if total or self.purchases[currency]:
                raise TotalsDisagree(
                    f"The lines differ from the totals in {currency} by {total} "
                    f"and by {self.purchases[currency]} purchases."
                )


def _write_front(
    pages: Pages, header: StatementHeader | SalesHeader, facts: Iterable[Sequence[str]]
) -> None:
    """Put the letterhead and the summary, months before totals, onto the first page."""
    pages.add_letterhead(header.shop_name, facts, header.logo)
    check = _Check(header.totals)
    for entry in header.months:
        check.add(entry.currency, entry.purchases, entry.total)
    check.finish()
    pages.start_table("months", _("Summary"))
    if not header.totals:
        pages.add_note(_("No purchases in this period."))
    for entry in header.months:
        total = _money(entry.total, entry.currency)
        pages.add_row([month_in_full(entry.month), str(entry.purchases), entry.currency, total])
    for whole in header.totals:
        total = _money(whole.total, whole.currency)
        pages.add_row(
            [_("Total of the period"), str(whole.purchases), whole.currency, total], bold=True
        )


def _write_account(pages: Pages, header: StatementHeader) -> None:
    """Put invoices, credits, payments and the balance into a table, where there are any."""
    if not header.before and not header.after:
        return
    pages.start_table("account", _("Invoices, credits and payments"))
    for balance in header.before:
        _write_balance(
            pages,
            balance,
            _("Balance before %(day)s") % {"day": header.since.isoformat()},
            bold=False,
        )
    for line in header.account:
        amounts = [_money(each, line.currency) if each else "" for each in (line.more, line.less)]
        pages.add_row([line.day.isoformat(), line.document, _(line.what), line.currency, *amounts])
    for balance in header.after:
        _write_balance(
            pages, balance, _("Balance on %(day)s") % {"day": header.until.isoformat()}, bold=True
        )


def _write_balance(pages: Pages, balance: AccountBalance, words: str, *, bold: bool) -> None:
    amount = _money(abs(balance.amount), balance.currency)
    amounts = ["", amount] if balance.amount < 0 else [amount, ""]
    pages.add_row(["", words, "", balance.currency, *amounts], bold=bold)


def _typeset(
    pages: Pages,
    header: StatementHeader | SalesHeader,
    heading: str,
    who: str,
    output: Path,
    time_limit: float,
) -> Rendered:
    subject = f"{heading}: {who}" if who else heading
    imprint = Imprint(
        title=f"{subject}, {_period(header.since, header.until)}",
        heading=heading,
        author=header.shop_name,
        number=_("Report %(id)s") % {"id": header.report_id},
        page=_("Page %(page)s of %(pages)s"),
        language=(get_language() or "en").partition("-")[0],
        generated=_utc(header.generated_at),
    )
    return typeset(pages, imprint, output, time_limit)
