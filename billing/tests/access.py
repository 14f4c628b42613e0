"""The access to billing. Each part adds the rows of its routes."""

from typing import Any

from accounts.models import User
from billing.taxes.models import ItemTax, TaxRate
from billing.tests import access_coupons as coupons
from billing.tests import access_invoices as invoices
from billing.tests import access_pages as pages
from billing.tests import access_paper as paper
from billing.tests import access_payments as payments
from billing.tests import access_runs as runs
from tests.access import NO_METHOD, Access, api

# Who reads everybody's invoices, and who writes them.
READ_ALL = dict.fromkeys(("support", "finance", "analyst", "auditor", "admin"), 200)
B = "api/v1/billing/"


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
    return {**made, **pages.objects(owner, made)}


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
    pages={**pages.PAGES, **payments.PAGES},
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
