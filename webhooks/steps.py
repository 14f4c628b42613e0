"""What the deliverer does in the database: claim endpoints, prepare a delivery, note an attempt.

Each is one transaction, and a request to a receiver lies between two of them. Only who holds the
claim of an endpoint prepares and notes. A claim that was not renewed belongs to nobody, so another
process goes on where a killed one stopped, with the same delivery.
"""

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from events.selectors import latest_position
from events.teams import NUMBER_IN_SQL, stewards
from events.types import team_types
from shop.core.jobs import from_now
from webhooks import services
from webhooks.models import Attempt, Delivery, Endpoint
from webhooks.outgoing import Outcome
from webhooks.ranges import events_of, may_still_get, message

CLAIM_SECONDS = 30
"""A claim is good for this long. A request takes half of it at most."""
WAITS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""The seconds between the ten attempts of a delivery, 75 hours together."""
WAIT_MAX = 86_400
JITTER = 0.1
SKIP_EVENTS = 1000
FAR, FAR_OWN = 2000, 100_000
"""How many positions an endpoint may be behind before it is claimed without a look for events."""

_FREE = """(e.claim IS NULL OR e.claimed_at NOT BETWEEN now() - make_interval(secs => %(stale)s)
                                          AND now() + make_interval(secs => %(stale)s))"""
_WANTED = "v.position > e.position AND v.position <= %(end)s AND v.type = ANY(e.types)"


# Each part has an index of its own. What is far behind is claimed without a look, because that
# would read most of the log where the endpoint's types are rare.
def _has_new(more: str = "") -> str:
    wanted = _WANTED + more
    return f"""
    CASE WHEN e.position + CASE WHEN e.everything THEN %(far)s ELSE %(far_own)s END < %(end)s
      THEN true
    WHEN e.everything THEN EXISTS (SELECT FROM events_event v WHERE {wanted})
    ELSE EXISTS (SELECT FROM events_event v WHERE v.customer_id = e.owner_id AND {wanted})
      OR EXISTS (SELECT FROM events_event v WHERE v.recorder_id = e.owner_id AND {wanted})
      OR e.types && %(team_types)s::smallint[] AND EXISTS (
        SELECT FROM people_membership m
        JOIN events_event v ON v.recorder_id = {NUMBER_IN_SQL.format(team="m.team_id")}
        WHERE m.user_id = e.owner_id AND {wanted})
      OR e.types && %(team_types)s::smallint[] AND EXISTS (
        SELECT FROM accounts_user a
        CROSS JOIN unnest(%(needed)s::bigint[], %(stewards)s::bigint[]) AS s (needed, number)
        JOIN events_event v ON v.recorder_id = s.number
        WHERE a.id = e.owner_id AND a.permissions & s.needed <> 0 AND {wanted})
    END
"""  # noqa: S608


# Failing endpoints are claimed apart from the others, so that they never take all places.
_CLAIM = f"""
WITH due AS (
    SELECT e.id FROM webhooks_endpoint e
    WHERE e.state = 'active' AND (e.failing_since IS NOT NULL) = %(failing)s
      AND {_FREE}
      AND (
        EXISTS (SELECT FROM webhooks_delivery d
                WHERE d.endpoint_id = e.id AND d.state = 'pending'
                  AND (d.kind = 'test' OR e.retry_at IS NULL OR e.retry_at <= now()))
        OR (e.retry_at IS NULL OR e.retry_at <= now())
           AND e.position < %(end)s
           AND {_has_new()}
      )
    ORDER BY e.claimed_at NULLS FIRST
    LIMIT %(limit)s
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE webhooks_endpoint e SET claim = %(claim)s, claimed_at = now()
FROM due WHERE e.id = due.id RETURNING e.id
"""  # noqa: S608
# A cursor behind the end, without events between, would be looked up again and again.
_SKIP = f"""
UPDATE webhooks_endpoint e SET position = %(end)s
WHERE e.state = 'active' AND e.claim IS NULL AND e.position < %(end)s - %(skip)s
  AND NOT EXISTS (SELECT FROM webhooks_delivery d
                  WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.kind = 'live')
  AND NOT ({_has_new()})
"""  # noqa: S608
_LATE = "now() - make_interval(secs => %(late)s)"
# An event is as old as its id says.
_OLD = f" AND coalesce(uuid_extract_timestamp(v.id), '-infinity') < {_LATE}"
_OVERDUE = f"""
SELECT EXISTS (SELECT FROM webhooks_endpoint e
WHERE e.state = 'active' AND {_FREE} AND coalesce(e.claimed_at, e.created_at) < {_LATE}
  AND (e.retry_at IS NULL OR e.retry_at < {_LATE})
  AND (EXISTS (SELECT FROM webhooks_delivery d
               WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.created_at < {_LATE})
       OR e.position < %(end)s AND {_has_new(_OLD)}))
"""  # noqa: S608


class Prepared(NamedTuple):
    """A delivery that is committed and can be sent."""

    delivery: UUID
    url: str
    secrets: list[str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim of one deliverer on an endpoint."""

    endpoint: UUID
    holder: UUID


def endpoints_claim(holder: UUID, *, failing: bool, limit: int) -> list[Claim]:
    """Claim endpoints that have something to be sent now; return the claims."""
    values: dict[str, Any] = {
        **_bounds(),
        "failing": failing,
        "stale": CLAIM_SECONDS,
        "limit": limit,
        "claim": holder,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        return [Claim(endpoint, holder) for (endpoint,) in cursor.fetchall()]


def cursors_skip() -> int:
    """Move the cursors that nothing lies ahead of to the end of the log; return how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SKIP, _bounds())
        return cursor.rowcount


def is_overdue(seconds: int) -> bool:
    """Return whether an endpoint is owed something for so long, and nobody has served it since."""
    with connection.cursor() as cursor:
        cursor.execute(_OVERDUE, {**_bounds(), "late": seconds, "stale": CLAIM_SECONDS})
        return bool(cursor.fetchone()[0])


def _bounds() -> dict[str, Any]:
    return {
        "end": latest_position(),
        "far": FAR,
        "far_own": FAR_OWN,
        "skip": SKIP_EVENTS,
        "team_types": sorted(team_types()),
        "needed": [needed for needed, _ in stewards()],
        "stewards": [number for _, number in stewards()],
    }


def claims_release(holder: UUID) -> None:
    """Give up all claims of a deliverer that ends in order."""
    Endpoint.objects.filter(claim=holder).update(claim=None, claimed_at=None)


def claim_release(claim: Claim) -> None:
    """Give up a claim, so that other endpoints have their turn."""
    Endpoint.objects.filter(pk=claim.endpoint, claim=claim.holder).update(claim=None)


def delivery_prepare(claim: Claim) -> Prepared | None:
    """Return the next delivery to the claimed endpoint, committed with its id.

    Return ``None``, and give up the claim, where nothing is to be sent now.
    """
    with transaction.atomic(durable=True):
        endpoint = _held(claim)
        if endpoint is None:
            return None
        owner = endpoint.owner
        if not may_still_get(owner, endpoint):
            services.endpoint_disable(endpoint, Endpoint.Reason.RIGHTS)
            return None
        while (delivery := _next(endpoint)) is not None:
            events = events_of(owner, endpoint, delivery) if delivery.events else []
            if events or delivery.kind == Delivery.Kind.TEST:
                _renew(endpoint)
                body = message(delivery, events)
                return Prepared(delivery.pk, endpoint.url, services.secrets_of(endpoint), body)
            # None of its events is the owner's any more, so the receiver is owed nothing.
            _finish(endpoint, delivery)
        Endpoint.objects.filter(pk=endpoint.pk).update(claim=None)
    return None


def _held(claim: Claim) -> Endpoint | None:
    return (
        Endpoint.objects.select_for_update(of=("self",), no_key=True)
        .select_related("owner")
        .filter(pk=claim.endpoint, claim=claim.holder, state=Endpoint.State.ACTIVE)
        .first()
    )


def _renew(endpoint: Endpoint) -> None:
    Endpoint.objects.filter(pk=endpoint.pk).update(claimed_at=Now())


def _next(endpoint: Endpoint) -> Delivery | None:
    """Return what is to be sent now: a test, then what is new, then what is repeated."""
    pending = Delivery.objects.filter(endpoint=endpoint, state=Delivery.State.PENDING)
    by_kind: dict[str, Delivery] = {}
    for delivery in pending.order_by("-pk"):
        by_kind[delivery.kind] = delivery
    if test := by_kind.get(Delivery.Kind.TEST):
        return test
    if endpoint.retry_at is not None and endpoint.retry_at > timezone.now():
        return None
    return (
        by_kind.get(Delivery.Kind.LIVE)
        or services.live_next(endpoint)
        or by_kind.get(Delivery.Kind.REPLAY)
    )


def attempt_note(claim: Claim, delivery_id: UUID, at: datetime, outcome: Outcome) -> bool:
    """Note an attempt and what follows from it. Return whether the claim is still held.

    Nothing is noted for an endpoint that was claimed by another, changed its state or was deleted.
    """
    with transaction.atomic(durable=True):
        endpoint = _held(claim)
        if endpoint is None:
            return False
        delivery = Delivery.objects.select_for_update().filter(pk=delivery_id).first()
        if delivery is None or delivery.state != Delivery.State.PENDING:
            return True
        Attempt.objects.create(
            delivery=delivery,
            at=at,
            status=outcome.status,
            milliseconds=outcome.milliseconds,
            error=outcome.error,
            response_start=outcome.response_start,
        )
        Delivery.objects.filter(pk=delivery.pk).update(attempts=F("attempts") + 1)
        delivery.attempts += 1
        if outcome.is_taken:
            _succeed(endpoint, delivery)
            return True
        return _fail(endpoint, delivery, outcome)


def _succeed(endpoint: Endpoint, delivery: Delivery) -> None:
    if endpoint.failing_since is not None and delivery.kind != Delivery.Kind.TEST:
        endpoint.failing_since = endpoint.retry_at = None
        endpoint.save(update_fields=["failing_since", "retry_at"])
    _finish(endpoint, delivery)


def _finish(endpoint: Endpoint, delivery: Delivery) -> None:
    """Note that a delivery was taken, or had nothing in it; move what it moves."""
    _end(delivery, Delivery.State.DELIVERED)
    if delivery.kind == Delivery.Kind.LIVE and endpoint.position < delivery.until:
        endpoint.position = delivery.until
        endpoint.save(update_fields=["position"])
    if delivery.kind == Delivery.Kind.REPLAY and delivery.until < delivery.goal:
        services.replay_on(endpoint, after=delivery.until, goal=delivery.goal)


def _fail(endpoint: Endpoint, delivery: Delivery, outcome: Outcome) -> bool:
    """Let the endpoint wait, or disable it. Return whether the claim is still held."""
    if outcome.status == 410:
        _end(delivery, Delivery.State.FAILED)
        services.endpoint_disable(endpoint, Endpoint.Reason.GONE)
        return False
    if delivery.kind == Delivery.Kind.TEST:
        _end(delivery, Delivery.State.FAILED)
        return True
    if delivery.attempts > len(WAITS):
        _end(delivery, Delivery.State.FAILED)
        services.endpoint_disable(endpoint, Endpoint.Reason.FAILING)
        return False
    Endpoint.objects.filter(pk=endpoint.pk).update(
        failing_since=endpoint.failing_since or timezone.now(),
        retry_at=from_now(wait(delivery.attempts, outcome.retry_after)),
        claim=None,
    )
    return False


def _end(delivery: Delivery, state: str) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(state=state, finished_at=Now())


def wait(attempts: int, retry_after: int | None = None) -> float:
    """Return the seconds until the next attempt after this many, longer if the receiver asks."""
    seconds = WAITS[attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
    return max(seconds, min(retry_after or 0, WAIT_MAX))
