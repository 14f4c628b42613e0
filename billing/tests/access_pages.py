"""The access to the pages of billing."""

from collections.abc import Mapping
from typing import Any

import msgspec

from accounts.models import User
from billing.content import content_of
from billing.coupons.models import Coupon
from billing.invoices.composing import Composed
from billing.invoices.models import Document, Draft
from tests.access import OPEN_NO_METHOD, READ, READ_ONLY, READERS, Row, Rows, page

B = "api/v1/billing/"
ONE = page(404, owner=200, client=403, **READ)
OWN = page(client=403)
READ_ALL = page(403, **READ)
NO_POST = {"POST": OPEN_NO_METHOD}
NO_GET = {"GET": OPEN_NO_METHOD}


def _written(status: int = 302) -> Row:
    """Return the row of what finance writes."""
    return page(403, finance=status, admin=status)


# Who reads everybody's may know of the invoice, and may not pay it.
_PAID = {**dict.fromkeys(READERS, 302), "client": 403, "owner": 302}
INVOICE = "billing/invoices/<uuid:id>/"
DRAFT = "billing/manage/drafts/<uuid:id>/"
NOTE = "billing/credit-notes/<uuid:id>/"
PAGES: Rows = {
    "billing/": {"GET": OWN, **NO_POST},
    "billing/credit-notes/": {"GET": OWN, **NO_POST},
    "billing/verify/": READ_ONLY,
    "billing/profile/": {"GET": OWN, "POST": page(302, client=403)},
    INVOICE: {"GET": ONE, **NO_POST},
    f"{INVOICE}pay/": {**NO_GET, "POST": page(404, **_PAID)},
    f"{INVOICE}book/": {"GET": _written(200), "POST": _written()},
    f"{INVOICE}credit/": {"GET": _written(200), "POST": _written()},
    f"{INVOICE}void/": {**NO_GET, "POST": _written()},
    f"{INVOICE}pdf/": {"GET": ONE, **NO_POST},
    f"{INVOICE}send/": {**NO_GET, "POST": _written()},
    NOTE: {"GET": ONE, **NO_POST},
    f"{NOTE}pdf/": {"GET": ONE, **NO_POST},
    f"{NOTE}send/": {**NO_GET, "POST": _written()},
    "billing/manage/": {"GET": READ_ALL, **NO_POST},
    "billing/manage/credit-notes/": {"GET": READ_ALL, **NO_POST},
    "billing/manage/addresses/<path:userid>/": {"GET": READ_ALL, "POST": _written()},
    "billing/manage/drafts/": {"GET": _written(200), "POST": _written()},
    DRAFT: {"GET": READ_ALL, "POST": _written()},
    f"{DRAFT}issue/": {**NO_GET, "POST": _written()},
    f"{DRAFT}discard/": {**NO_GET, "POST": _written()},
    "billing/manage/payments/": {"GET": READ_ALL, **NO_POST},
    "billing/manage/payments/<uuid:id>/": {"GET": READ_ALL, "POST": _written()},
    # Nothing was sent, so nobody is led on.
    "billing/manage/payments/bank/": {"GET": READ_ALL, "POST": _written(400)},
    "billing/manage/refunds/": {"GET": READ_ALL, **NO_POST},
    "billing/manage/disputes/": {"GET": READ_ALL, **NO_POST},
    "billing/manage/disputes/<uuid:id>/": {**NO_GET, "POST": _written()},
    "billing/manage/coupons/": {"GET": READ_ALL, "POST": _written()},
    "billing/manage/coupons/<uuid:id>/": {"GET": READ_ALL, "POST": _written()},
    "billing/manage/runs/": {"GET": READ_ALL, "POST": _written()},
    "billing/manage/runs/<uuid:id>/": {"GET": READ_ALL, **NO_POST},
    "billing/manage/taxes/": {"GET": READ_ALL, "POST": _written()},
}
BODIES: dict[str, Any] = {
    f"{INVOICE}pay/": {"provider": "bank"},
    f"{INVOICE}book/": {"amount": "1.00", "paid_on": "2026-05-01", "reference": "R-8"},
    f"{INVOICE}credit/": {"action": "credit", "reason": "late", "amount_1": "0.01"},
    f"{INVOICE}void/": {"reason": "wrong"},
    "billing/manage/drafts/": {"customer": "id-owner"},
    "billing/manage/payments/<uuid:id>/": {"action": "refund", "amount": "1", "reason": "late"},
    "billing/manage/disputes/<uuid:id>/": {"verdict": "won"},
    "billing/manage/coupons/": {"code": "WINTER", "value": "10 %"},
    "billing/manage/coupons/<uuid:id>/": {"active": "no"},
    "billing/manage/runs/": {"until": "2024-05-01"},
    "billing/manage/taxes/": {
        "code": "other",
        "category": "S",
        "rate": "19",
        "valid_from": "2021-01-01",
    },
}


def objects(owner: User, made: Mapping[str, Any]) -> dict[str, Any]:
    """Return the objects of the API's rows for the pages about them, and a draft."""
    invoice = Document.objects.get(pk=made[f"{B}invoices/"])
    content = Composed(body=content_of(invoice.canonical).body, coupons=[])
    draft = Draft.objects.create(
        customer=owner, currency="EUR", content=msgspec.to_builtins(content), created_by=owner
    )
    draft.refresh_from_db()
    return {
        "billing/manage/addresses/": owner.userid,
        "billing/manage/drafts/": draft.pk,
        **{f"billing/{name}/": made[f"{B}{name}/"] for name in ("invoices", "credit-notes")},
        "billing/manage/coupons/": Coupon.objects.get(code=made[f"{B}coupons/"]).pk,
        "billing/manage/runs/": made[f"{B}runs/"],
        "billing/manage/payments/": made[f"{B}payments/"],
        "billing/manage/disputes/": made[f"{B}chargebacks/"],
    }
