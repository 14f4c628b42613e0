"""Reads of the ledger, each limited to purchases that the caller may see."""

from uuid import UUID

from django.db.models import F, Q, QuerySet

from accounts.access import (
    Caller,
    audience_of,
    is_client_program,
    may_read_purchases,
    may_see_everything,
)
from accounts.models import User
from events.selectors import (
    latest_position,
    newest_purchases,
    position_of,
    purchases_without_position,
)
from purchases.models import Purchase
from purchases.representation import PurchaseData, purchase_data
from shop.core.errors import NotFound
from shop.core.merged import Merged
from shop.core.replica import database_for

# Purchases that a client program recorded for others; a partial index has this condition.
FOR_OTHERS = ~Q(recorded_by=F("customer"))


def visible_to(caller: Caller) -> Q:
    """Return the condition for the purchases that the caller may see."""
    if may_see_everything(caller):
        return Q()
    if not may_read_purchases(caller):
        return Q(pk__in=[])
    own = Q(customer_id=caller.id)
    return own | Q(recorded_by_id=caller.id) if is_client_program(caller) else own


def purchases_visible_to(caller: Caller, using: str = "default") -> Merged[Purchase]:
    """Return the purchases that the caller may see, with their customers.

    ``using`` is the database to read from.
    """
    purchases = Purchase.objects.using(using).select_related("customer")
    if not is_client_program(caller):
        return Merged(purchases.filter(visible_to(caller)))
    return Merged(
        purchases.filter(customer_id=caller.id),
        purchases.filter(FOR_OTHERS, recorded_by_id=caller.id),
    )


def purchase_of(caller: Caller, id: UUID) -> Purchase:
    """Return one purchase; raise ``NotFound`` where the caller may not see it."""
    purchases = Purchase.objects.select_related("customer")
    purchase = purchases.filter(visible_to(caller), pk=id).first()
    if purchase is None:
        raise NotFound()
    return purchase


def purchase_with_event(caller: Caller, id: UUID) -> tuple[Purchase, int | None]:
    """Return one purchase with both of its accounts, and the position of its event if it has one.

    Raise ``NotFound`` where the caller may not see it.
    """
    purchases = Purchase.objects.select_related("customer", "recorded_by")
    purchase = purchases.filter(visible_to(caller), pk=id).first()
    if purchase is None:
        raise NotFound()
    return purchase, position_of(id)


def recorded_lately(caller: Caller, *, everything: bool, limit: int) -> tuple[list[Purchase], int]:
    """Return the purchases that were recorded last, the last one first, and the log's position.

    They are ordered as the live feed is, and the feed goes on after the position. Those that have
    no position yet come first, and again in the feed. Without ``everything`` they are the caller's,
    with those that a client program recorded.
    """
    position = latest_position()
    if not may_read_purchases(caller):
        return [], position
    audience = audience_of(caller, everything=everything)
    keys = purchases_without_position(audience=audience, limit=limit)
    keys += newest_purchases(audience=audience, until=position, limit=limit - len(keys))
    found = Purchase.objects.select_related("customer").in_bulk(keys)
    return [found[key] for key in keys if key in found], position


def purchases_of(caller: Caller, username: str) -> QuerySet[Purchase]:
    """Return a customer's purchases, oldest first; ``NotFound`` where the caller may not see them.

    An unknown username gets the same answer as another customer's. So does a customer for whom the
    client program has recorded nothing.
    """
    customer = User.objects.named(username).only("id").first()
    if customer is None:
        raise NotFound()
    purchases = Purchase.objects.using(database_for(caller.id)).filter(customer_id=customer.pk)
    if not may_see_everything(caller) and customer.pk != caller.id:
        purchases = purchases.filter(visible_to(caller))
        if not (is_client_program(caller) and purchases.exists()):
            raise NotFound()
    return purchases.order_by("timestamp", "id")


def to_purchase_data(purchase: Purchase) -> PurchaseData:
    """Return a purchase, fetched with its customer, as API data."""
    return purchase_data(
        purchase.id,
        purchase.customer.username,
        purchase.customer.userid,
        purchase.item,
        purchase.quantity,
        purchase.price,
        purchase.currency,
        purchase.timestamp,
        purchase.received_at,
    )
