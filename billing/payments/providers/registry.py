"""Which providers there are, and which of them one can pay by here."""

from django.conf import settings

from billing.payments.providers.bank import Bank, Cash
from billing.payments.providers.interface import Provider
from billing.payments.providers.practice import Practice
from billing.payments.providers.stripe import Stripe
from shop.core.errors import NotFound

_ALL: tuple[Provider, ...] = (Bank(), Cash(), Stripe(), Practice())
_BY_NAME = {each.name: each for each in _ALL}


def provider_named(name: str) -> Provider:
    """Return a provider, whether or not one can pay by it now. Raise ``NotFound``."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise NotFound() from None


def providers_for(currency: str) -> list[Provider]:
    """Return the providers that one can pay by, in this currency."""
    return [each for each in _ALL if each.takes(currency)]


def webhook_provider(name: str) -> Provider:
    """Return a provider whose messages are taken here. Raise ``NotFound``."""
    provider = provider_named(name)
    if name == "test" and not settings.BILLING_TEST_PROVIDER:
        raise NotFound()
    return provider
