"""The access to billing. Each part adds the rows of its routes."""

from typing import Any

from accounts.models import User
from billing.coupons.models import Coupon
from billing.invoices.models import Entry
from billing.taxes.models import ItemTax, TaxRate
from billing.tests import access_coupons as coupons
from billing.tests import access_invoices as invoices
from billing.tests import access_pages as pages
from billing.tests import access_paper as paper
from billing.tests import access_payments as payments
from billing.tests import access_runs as runs
from tests.access import ADMIN_READ_ONLY, NO_METHOD, Access, Rows, api, in_admin

# Who reads everybody's invoices, and who writes them.
READ_ALL = dict.fromkeys(("support", "finance", "analyst", "auditor", "admin"), 200)
B = "api/v1/billing/"

ADMIN: Rows = {}
for model in ("document", "balance", "entry", "payment", "refund", "chargeback", "coupon"):
    ADMIN |= in_admin(f"billing/{model}", ADMIN_READ_ONLY)


def done(status: int, default: int = 403) -> dict[str, int]:
    """Return the row of what only finance does."""
    return api(default, finance=status, admin=status)


def _objects(owner: User) -> dict[str, Any]:
    rate = TaxRate.objects.create(code="low", category="S", rate="7.00", valid_from="2020-01-01")
    ItemTax.objects.create(item="book", code="low")
    made = {
        f"{B}tax-rates/": rate.pk,
        f"{B}item-taxes/": "book",
        **coupons.objects(owner),
        **invoices.objects(owner),
        **payments.objects(owner),
        **runs.objects(owner),
    }
    invoice = made[f"{B}invoices/"]
    in_lists = {
        "document": invoice,
        "balance": invoice,
        "entry": Entry.objects.filter(document=invoice).values_list("pk", flat=True)[0],
        "payment": made[f"{B}payments/"],
        "refund": made[f"{B}refunds/"],
        "chargeback": made[f"{B}chargebacks/"],
        "coupon": Coupon.objects.get(code=made[f"{B}coupons/"]).pk,
    }
    shown = {f"admin/billing/{model}/": id for model, id in in_lists.items()}
    return {**made, **pages.objects(owner, made), **shown}


ACCESS = Access(
    objects=_objects,
    api={
        **coupons.API,
        **invoices.API,
        **payments.API,
        **runs.API,
        **paper.API,
        # Profiles.
        f"{B}profile/": {
            "GET": api(client=403),
            "POST": NO_METHOD,
            "PUT": api(client=403),
        },
        # Taxes.
        f"{B}tax-rates/": {"GET": api(403, **READ_ALL), "POST": done(201)},
        f"{B}tax-rates/<str:id>/": {"GET": NO_METHOD, "POST": NO_METHOD, "DELETE": done(204)},
        f"{B}item-taxes/": {"GET": api(403, **READ_ALL), "POST": NO_METHOD, "PUT": done(200)},
        f"{B}item-taxes/<path:item>/": {
            "GET": NO_METHOD,
            "POST": NO_METHOD,
            "DELETE": done(204),
        },
    },
    pages={**pages.PAGES, **payments.PAGES, **ADMIN},
    bodies={
        **pages.BODIES,
        **coupons.BODIES,
        **invoices.BODIES,
        **payments.BODIES,
        **runs.BODIES,
        f"PUT {B}profile/": {"name": "Joe"},
        # Taxes.
        f"{B}tax-rates/": {
            "code": "standard",
            "category": "S",
            "rate": "19.00",
            "valid_from": "2021-01-01",
        },
        f"PUT {B}item-taxes/": {"item": "book", "code": "low"},
    },
)
