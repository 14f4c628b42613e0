"""The access to payments, refunds and chargebacks."""

from decimal import Decimal
from typing import Any

from django.utils import timezone

from accounts.models import User
from billing.payments.bank_statements.models import BankCredit
from billing.payments.chargebacks import chargeback_open
from billing.payments.paying import payment_begin, payment_book
from billing.payments.refunds import refund_request
from billing.tests.ledger import make_invoice
from tests.access import NO_METHOD, OPEN_NO_METHOD, READ, READERS, Rows, api, page

B = "api/v1/billing/"
LIST = {"GET": api(client=403), "POST": NO_METHOD}
ONE = {"GET": api(404, owner=200, client=403, **READ), "POST": NO_METHOD}


def _written(status: int) -> dict[str, Any]:
    return {"GET": NO_METHOD, "POST": api(403, finance=status, admin=status)}


# Who reads everybody's may know of the invoice, and may not pay it.
_PAID = {**dict.fromkeys(READERS, 403), "client": 403, "owner": 201, "finance": 201, "admin": 201}
API: Rows = {
    f"{B}invoices/<str:id>/pay/": {"GET": NO_METHOD, "POST": api(404, **_PAID)},
    f"{B}invoices/<str:id>/payments/": _written(201),
    f"{B}payments/": LIST,
    f"{B}payments/<str:id>/": ONE,
    f"{B}payments/<str:id>/refunds/": _written(202),
    f"{B}payments/<str:id>/chargebacks/": _written(201),
    f"{B}refunds/": LIST,
    f"{B}refunds/<str:id>/": ONE,
    f"{B}refunds/<str:id>/failed/": _written(200),
    f"{B}chargebacks/": LIST,
    f"{B}chargebacks/<str:id>/": ONE,
    f"{B}chargebacks/<str:id>/won/": _written(200),
    f"{B}chargebacks/<str:id>/lost/": _written(200),
    f"{B}bank-statements/": _written(400),
    f"{B}bank-credits/": {"GET": api(403, **READ), "POST": NO_METHOD},
    f"{B}bank-credits/<str:id>/": {"GET": api(403, **READ), "POST": NO_METHOD},
    f"{B}bank-credits/<str:id>/assign/": _written(400),
    f"{B}bank-credits/<str:id>/set-aside/": _written(200),
    # Whoever comes, the signature is missing.
    f"{B}webhooks/<str:provider>/": {"GET": OPEN_NO_METHOD, "POST": {"default": 400}},
}
_PAGE = {**dict.fromkeys(READERS, 403), "client": 403, "owner": 200, "finance": 200, "admin": 200}
PAGES: Rows = {
    "billing/test-payment/<uuid:id>/": {
        "GET": page(404, **_PAGE),
        "POST": page(404, **{**_PAGE, "owner": 302, "finance": 302, "admin": 302}),
    }
}
BODIES = {
    f"{B}bank-credits/<str:id>/assign/": {"invoice": "INV-1999-000001"},
    f"{B}bank-credits/<str:id>/set-aside/": {"reason": "interest"},
    "billing/test-payment/<uuid:id>/": {"choice": "pay"},
    f"{B}invoices/<str:id>/pay/": {"provider": "test"},
    f"{B}invoices/<str:id>/payments/": {
        "amount": "1.00",
        "paid_on": "2026-05-01",
        "reference": "R-9",
    },
    f"{B}payments/<str:id>/refunds/": {"amount": "1.00", "reason": "broken"},
    f"{B}refunds/<str:id>/failed/": {"reason": "sent back"},
    f"{B}payments/<str:id>/chargebacks/": {
        "amount": "1.00",
        "reason": "fraud",
        "opened_on": "2026-05-02",
    },
}


def objects(owner: User) -> dict[str, Any]:
    """Make an open invoice, an overpaid one, and one whose payment a bank took back."""
    today = timezone.localdate()
    begun, _ = payment_begin(actor=owner, document=make_invoice(owner, "10.00"), provider="test")
    open, overpaid, disputed = (make_invoice(owner, "10.00") for _ in range(3))
    payments = [
        payment_book(
            actor=owner, document=each, amount=Decimal(20), paid_on=today, reference="R-1"
        )[0]
        for each in (overpaid, disputed)
    ]
    refund = refund_request(actor=owner, payment=payments[0], amount=Decimal(1), reason="broken")
    chargeback, _ = chargeback_open(
        actor=owner,
        payment=payments[1],
        amount=Decimal(1),
        reason="fraud",
        reference="",
        opened_on=today,
    )
    credit = BankCredit.objects.create(
        identity="1", account="DE89", booked_on=today, currency="EUR", amount=1, imported_by=owner
    )
    return {
        f"{B}bank-credits/": credit.pk,
        f"{B}invoices/": open.pk,
        f"{B}payments/": payments[0].pk,
        f"{B}refunds/": refund.pk,
        f"{B}chargebacks/": chargeback.pk,
        f"{B}webhooks/": "test",
        "billing/test-payment/": begun.pk,
    }
