"""The account in a statement: invoices, credits, payments and the balance."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from billing.payments.paying import payment_book
from billing.tests.conftest import make
from billing.tests.ledger import make_invoice
from reports.models import Report
from reports.selectors import report_to_render, statement_header

pytestmark = pytest.mark.django_db


def header(asker: User, customer: User | None = None, days: int = 0) -> Any:
    today = datetime.now(UTC).date() + timedelta(days=days)
    report = Report.objects.create(
        kind="customer_statement" if customer else "statement",
        requested_by=asker,
        since=today,
        until=today,
        parameters={"customer": customer.pk, "username": customer.username} if customer else {},
    )
    return statement_header(report_to_render(report))


def test_the_entries_of_the_period_and_the_balances_around_it() -> None:
    joe, ann = make("joe"), make("ann")
    invoice = make_invoice(joe, "100.00")
    make_invoice(ann, "7.00")
    payment_book(
        actor=joe,
        document=invoice,
        amount=Decimal("120.00"),
        paid_on=timezone.localdate(),
        reference="R-1",
    )
    make_invoice(joe, "500", currency="JPY", exponent=0)
    shown = header(joe)
    assert [(each.what, each.more, each.less) for each in shown.account] == [
        ("Invoice", Decimal("100.00"), 0),
        ("Payment", 0, Decimal("120.00")),
        ("Invoice", Decimal(500), 0),
    ]
    assert shown.before == []
    after = [(each.currency, each.amount) for each in shown.after]
    assert after == [("EUR", Decimal("-20.00")), ("JPY", Decimal(500))]
    tomorrow = header(joe, days=1)
    assert list(tomorrow.account) == []
    assert tomorrow.before == tomorrow.after == shown.after


def test_only_where_something_was_billed_and_for_who_may_see_it(settings: Any) -> None:
    joe, finance = make("joe"), make("fin", "finance")
    assert header(joe).after == []
    make_invoice(joe, "100.00")
    assert header(finance, joe).after
    assert not header(make("clerk", "author"), joe).after
    settings.BILLING = False
    assert not header(joe).after
