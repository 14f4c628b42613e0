"""A balance is the sum of its entries, whoever writes them at the same time."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection, transaction

from accounts.models import User
from billing.invoices.models import Balance, Entry
from billing.payments.entries import enter
from billing.tests.ledger import balance_of, make_invoice, sums_of

pytestmark = pytest.mark.django_db
D = Decimal


def test_the_status_follows_what_is_credited_paid_and_given_back() -> None:
    invoice = make_invoice(User.objects.create_user("joe", userid="005"))
    steps = [
        ("paid", "40.00", "partially_paid"),
        ("paid", "60.00", "paid"),
        ("charged_back", "60.00", "partially_paid"),
        ("credited", "60.00", "paid"),
        ("refunded", "40.00", "open"),
    ]
    sources = []
    for kind, amount, status in steps:
        sources.append(uuid.uuid4())
        assert enter(invoice.pk, kind, sources[-1], D(amount)).status == status, kind
    assert enter(invoice.pk, "chargeback_reversed", sources[2], D("60.00")).status == "paid"
    assert enter(invoice.pk, "refund_reversed", sources[4], D("40.00")).status == "paid"
    before = balance_of(invoice)
    # What was entered is not entered again, whatever amount comes along.
    assert enter(invoice.pk, "paid", sources[0], D("41.00")).paid == D("100.00")
    assert balance_of(invoice) == before == sums_of(invoice)
    assert enter(invoice.pk, "credited", uuid.uuid4(), D("40.00"), void=True).status == "void"
    # Money that comes for a void invoice is booked, and the invoice stays void.
    late = enter(invoice.pk, "paid", uuid.uuid4(), D("5.00"))
    assert (late.status, late.paid) == ("void", D("105.00"))
    with pytest.raises(ValueError, match="negative"):
        enter(invoice.pk, "paid", uuid.uuid4(), D("-1"))


def test_an_invoice_over_nothing_is_paid_at_once() -> None:
    invoice = make_invoice(User.objects.create_user("joe", userid="005"), "0.00")
    assert Balance.objects.get(document=invoice).status == "paid"


@pytest.mark.django_db(transaction=True)
def test_entries_at_the_same_time_are_all_counted_once() -> None:
    invoice = make_invoice(User.objects.create_user("joe", userid="005"))
    sources = [uuid.uuid4() for _ in range(20)]
    gate = threading.Barrier(8)

    def pay() -> None:
        gate.wait()
        for source in sources:
            with transaction.atomic():
                enter(invoice.pk, "paid", source, D("7.00"))
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(pay) for _ in range(8)]:
            each.result()
    assert balance_of(invoice)["paid"] == D("140.00") == sums_of(invoice)["paid"]
    assert Entry.objects.filter(document=invoice, kind="paid").count() == 20
