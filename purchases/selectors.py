"""Reads of the ledger, each limited to what the caller may see."""

from uuid import UUID

from django.db.models import QuerySet

from accounts.access import Caller, may_see_everything
from accounts.models import User
from purchases.models import Purchase
from purchases.representation import PurchaseData, purchase_data
from shop.core.errors import NotFound
from shop.core.replica import database_for


def purchases_visible_to(caller: Caller, using: str = "default") -> QuerySet[Purchase]:
    """Return the purchases that the caller may see: everything for staff, else its own.

    ``using`` is the database to read from.
    """
    queryset = Purchase.objects.using(using).select_related("customer")
    if may_see_everything(caller):
        return queryset
    return queryset.filter(customer_id=caller.id)


def purchase_of(caller: Caller, id: UUID) -> Purchase:
    """Return one purchase; raise ``NotFound`` where the caller may not see it."""
    purchase = purchases_visible_to(caller).filter(pk=id).first()
    if purchase is None:
        raise NotFound()
    return purchase


def purchases_of(caller: Caller, username: str) -> QuerySet[Purchase]:
    """Return a customer's purchases, oldest first; ``NotFound`` where the caller may not see them.

    A username that does not exist gets the same answer as one that is somebody else's.
    """
    customer = User.objects.named(username).only("id").first()
    if customer is None or not (may_see_everything(caller) or customer.pk == caller.id):
        raise NotFound()
    purchases = Purchase.objects.using(database_for(caller.id))
    return purchases.filter(customer_id=customer.pk).order_by("timestamp", "id")


def purchase_of_row(purchase: Purchase) -> PurchaseData:
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
