"""A cache of accounts, so that the fast path need not look them up."""

from collections.abc import Hashable

from accounts.access import Caller, may_record_for_anyone
from purchases.entries import Entry, KeyedEntry, Recorded, authorise, identify, lane_of
from purchases.ingest.pending import PendingPurchase
from shop.core.errors import ApplicationError

CACHE_MAX = 50_000


class AccountCache:
    """A cache of accounts: callers by token, customers by userid and username.

    An entry may be out of date, because the statement checks each account again.
    """

    def __init__(self) -> None:
        self.callers: dict[str, Caller] = {}
        self.customers: dict[tuple[str | None, str | None], tuple[int, str, str]] = {}

    def learn(self, digest: str, caller: Caller | None) -> None:
        """Cache the caller of a token; forget a token without a caller."""
        if caller is None:
            self.callers.pop(digest, None)
            return
        if len(self.callers) >= CACHE_MAX:
            self.callers.clear()
        self.callers[digest] = caller

    def learn_customer(self, entry: Entry, recorded: Recorded) -> None:
        """Cache the customer of a pair of userid and username."""
        purchase = entry.purchase
        if not may_record_for_anyone(entry.caller) or purchase.userid == purchase.username is None:
            return
        if len(self.customers) >= CACHE_MAX:
            self.customers.clear()
        _, username, userid, *_ = recorded.values
        self.customers[purchase.userid, purchase.username] = (
            recorded.customer_id,
            username,
            userid,
        )

    def lane(self, request: PendingPurchase) -> Hashable:
        """Return the lane of a request whose caller is cached."""
        caller = self.callers.get(request.digest)
        if caller is None:
            return request.digest
        return lane_of(Entry(caller, request.purchase))

    def row(self, index: int, request: PendingPurchase) -> KeyedEntry | None:
        """Return the request as a row, or ``None`` where it must take the slow path."""
        caller = self.callers.get(request.digest)
        if caller is None:
            return None
        purchase = request.purchase
        if purchase.userid is None and purchase.username is None:
            customer: tuple[int, str, str] | None = (caller.id, caller.username, caller.userid)
        elif may_record_for_anyone(caller):
            customer = self.customers.get((purchase.userid, purchase.username))
        else:
            try:
                authorise(caller, purchase)
            except ApplicationError:
                return None
            customer = (caller.id, caller.username, caller.userid)
        if customer is None:
            return None
        entry = Entry(caller, purchase, request.idempotency_key, request.nonce)
        return identify(index, entry, *customer)
