"""Reads of endpoints and deliveries, each limited to what the caller may see."""

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import User
from accounts.permissions import Permission, allows
from shop.core.errors import NotFound
from shop.core.jobs import from_now
from webhooks.models import Delivery, Endpoint


def sees_all(user: User) -> bool:
    """Return whether the account sees everybody's webhooks."""
    return allows(user.permissions, Permission.WEBHOOKS_READ_ALL)


def changes_all(user: User) -> bool:
    """Return whether the account may change everybody's webhooks."""
    return allows(user.permissions, Permission.WEBHOOKS_WRITE_ALL)


def endpoints_for(user: User) -> QuerySet[Endpoint]:
    """Return the endpoints that the account may see."""
    found = Endpoint.objects.select_related("owner")
    return found if sees_all(user) else found.filter(owner=user)


def endpoint_of(user: User, id: Any, *, to_change: bool = False) -> Endpoint:
    """Return an endpoint that the account may see, and change. Raise ``NotFound``."""
    found = Endpoint.objects.select_related("owner")
    if not (changes_all(user) if to_change else sees_all(user)):
        found = found.filter(owner=user)
    endpoint = found.filter(pk=_key(id)).first()
    if endpoint is None:
        raise NotFound()
    return endpoint


def deliveries_of(endpoint: Endpoint, state: str = "") -> QuerySet[Delivery]:
    """Return the deliveries to an endpoint, or those in a state."""
    found = Delivery.objects.filter(endpoint=endpoint)
    return found.filter(state=state) if state else found


def delivery_of(endpoint: Endpoint, id: Any) -> Delivery:
    """Return a delivery to the endpoint. Raise ``NotFound``."""
    delivery = Delivery.objects.filter(endpoint=endpoint, pk=_key(id)).first()
    if delivery is None:
        raise NotFound()
    return delivery


def troubled_endpoints() -> QuerySet[Endpoint]:
    """Return the endpoints that the shop disabled, and those that have failed for an hour."""
    disabled = Q(state=Endpoint.State.DISABLED) & ~Q(disabled_reason=Endpoint.Reason.OWNER)
    failing = Q(state=Endpoint.State.ACTIVE, failing_since__lt=from_now(-3600))
    return Endpoint.objects.filter(disabled | failing)


def _key(id: Any) -> UUID:
    try:
        return UUID(str(id))
    except ValueError:
        raise NotFound() from None
