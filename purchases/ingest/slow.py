"""The slow path: sign in and record a batch in a thread, with every rule of the ledger."""

from collections.abc import Callable, Sequence

import structlog
from django.db import connection as django_connection

from accounts.access import Caller
from accounts.authentication import Presented, tokens_look_up
from accounts.quotas import TooManyRequests, count_request
from purchases.entries import Entry, Outcome, Recorded
from purchases.ingest.cache import AccountCache
from purchases.ingest.pending import PendingPurchase
from purchases.services import record_purchases
from shop.core.errors import NotAuthenticated, OutcomeUnknown, ServerError, Unavailable
from shop.core.outages import is_outage

logger = structlog.get_logger(__name__)

Record = Callable[[Sequence[Entry]], list[Outcome]]


class InvalidToken(NotAuthenticated):
    """The token is unknown or expired, or its account is inactive."""

    code = "authentication_failed"
    detail = "Invalid token."


def write_batch(
    batch: list[PendingPurchase], cache: AccountCache, record: Record = record_purchases
) -> list[Outcome]:
    """Sign in and record a batch in the calling thread; return one outcome for each request."""
    outcomes: list[Outcome | None] = [None] * len(batch)
    try:
        presented = [Presented(request.digest, request.address()) for request in batch]
        signed_in = tokens_look_up(set(presented))
        entries: list[Entry] = []
        places: list[int] = []
        for place, request in enumerate(batch):
            found = signed_in.get(presented[place])
            caller: Caller | None = found.caller if found else None
            # The fast path does not compare addresses.
            cache.learn(request.digest, caller if found and found.anywhere else None)
            if caller is None:
                outcomes[place] = InvalidToken()
            elif not request.counted and (wait := count_request(caller)):
                outcomes[place] = TooManyRequests(wait)
            else:
                request.counted = True
                entries.append(
                    Entry(caller, request.purchase, request.idempotency_key, request.nonce)
                )
                places.append(place)
        for place, entry, outcome in zip(places, entries, record(entries), strict=True):
            outcomes[place] = outcome
            if isinstance(outcome, Recorded):
                cache.learn_customer(entry, outcome)
        return [outcome or ServerError() for outcome in outcomes]
    except OutcomeUnknown:
        return [outcome or OutcomeUnknown() for outcome in outcomes]
    except Exception as error:
        if is_outage(error):
            logger.warning("purchase.unavailable", requests=len(batch))
            return [Unavailable() for _ in batch]
        logger.exception("purchase.batch_failed", requests=len(batch))
        return [ServerError() for _ in batch]
    finally:
        django_connection.close()
