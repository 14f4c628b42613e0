"""The shop itself, as the documents it issues name it."""

from typing import Any

from django.conf import settings

from billing.content import Seller
from shop.core.site_settings.general import SITE_NAME


def seller() -> Seller:
    """Return the seller of the settings ``BILLING_SELLER_…``; what is not set is empty."""
    return Seller(**seller_details())


def seller_details() -> dict[str, Any]:
    """Return the same by the names of the settings, and without checks."""
    given: dict[str, Any] = settings.BILLING_SELLER
    return given | {"name": SITE_NAME.value if given["name"] is None else given["name"]}
