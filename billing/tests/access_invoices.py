"""The access to invoices and credit notes."""

from decimal import Decimal
from typing import Any

from accounts.models import User
from billing.credits.services import credit_note_create
from billing.credits.shares import Asked
from billing.tests.ledger import make_invoice
from tests.access import NO_METHOD, OPEN, OPEN_NO_METHOD, api

B = "api/v1/billing/"
_READ_ALL = dict.fromkeys(("support", "finance", "analyst", "auditor", "admin"), 200)
# What a customer sees of their own documents, and staff of everybody's.
OBJECT = api(404, owner=200, client=403, **_READ_ALL)


def _done(status: int) -> dict[str, int]:
    return api(403, finance=status, admin=status)


def objects(owner: User) -> dict[str, Any]:
    """Make an invoice of the owner that is credited. Return its id and the credit note's."""
    invoice = make_invoice(owner)
    note, _refunds = credit_note_create(
        actor=owner, invoice=invoice, lines=[Asked(1, amount=Decimal("10.00"))], reason="late"
    )
    return {
        f"{B}invoices/": invoice.pk,
        f"{B}credit-notes/": note.pk,
        f"{B}series/": invoice.series_id,
    }


API = {
    f"{B}invoices/": {"GET": api(client=403), "POST": _done(201)},
    f"{B}invoices/<str:id>/": {
        "GET": OBJECT,
        "POST": NO_METHOD,
        "PATCH": _done(409),
        "DELETE": _done(409),
    },
    f"{B}invoices/<str:id>/issue/": {"GET": NO_METHOD, "POST": _done(200)},
    f"{B}invoices/<str:id>/credit-notes/": {"GET": NO_METHOD, "POST": _done(201)},
    f"{B}invoices/<str:id>/void/": {"GET": NO_METHOD, "POST": _done(201)},
    f"{B}credit-notes/": {"GET": api(client=403), "POST": NO_METHOD},
    f"{B}credit-notes/<str:id>/": {"GET": OBJECT, "POST": NO_METHOD},
    f"{B}verify/": {"GET": OPEN, "POST": OPEN_NO_METHOD},
    f"{B}series/<str:code>/chain/": {"GET": api(403, **_READ_ALL), "POST": NO_METHOD},
}
BODIES: dict[str, Any] = {
    f"{B}invoices/": {"userid": "id-owner"},
    f"{B}invoices/<str:id>/credit-notes/": {
        "reason": "late",
        "lines": [{"position": 1, "amount": "1.00"}],
    },
    f"{B}invoices/<str:id>/void/": {"reason": "wrong"},
}
