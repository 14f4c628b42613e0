"""The access to the pages of billing."""

from collections.abc import Mapping
from typing import Any

from tests.access import OPEN_NO_METHOD, READ, Rows, page

B = "api/v1/billing/"
ONE = {"GET": page(404, owner=200, client=403, **READ), "POST": OPEN_NO_METHOD}
OWN = {"GET": page(client=403), "POST": OPEN_NO_METHOD}

PAGES: Rows = {
    "billing/": OWN,
    "billing/credit-notes/": OWN,
    "billing/invoices/<uuid:id>/": ONE,
    "billing/credit-notes/<uuid:id>/": ONE,
}
BODIES: dict[str, Any] = {}


def objects(made: Mapping[str, Any]) -> dict[str, Any]:
    """Return the objects of the API's rows for the pages about them."""
    return {f"billing/{name}/": made[f"{B}{name}/"] for name in ("invoices", "credit-notes")}
