"""The shop itself, as the documents it issues name it."""

from django.conf import settings

from billing.content import Seller


def seller() -> Seller:
    """Return the seller of the settings ``BILLING_SELLER_…``; what is not set is empty."""
    return Seller(**settings.BILLING_SELLER)
