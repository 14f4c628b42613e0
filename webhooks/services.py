"""Endpoints: made, changed, tested, replayed and disabled. Each change tells the audit."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts.models import User
from audit.services import record
from events.selectors import PositionUnknown, latest_position
from shop.core.errors import Conflict, FieldError, ValidationFailed
from shop.core.sealing import seal, unseal
from webhooks import signing
from webhooks.models import Delivery, Endpoint
from webhooks.ranges import check_readable, names_of, next_range

REPLAYS_MAX = 10
OVERLAP_HOURS = 24
OVERLAP_HOURS_MAX = 24 * 30


class TooManyEndpoints(Conflict):
    """The account has as many webhooks as it may have."""

    code = "webhook_limit"
    detail = gettext_noop("The account has as many webhooks as it may have. Delete one first.")


class EndpointDisabled(Conflict):
    """Nothing is sent to a webhook that is disabled."""

    code = "webhook_disabled"
    detail = gettext_noop("The webhook is disabled. Enable it first.")


class AlreadyDelivered(Conflict):
    """The receiver has taken the delivery."""

    code = "already_delivered"
    detail = gettext_noop("It was delivered. Replay its positions to send it again.")


class TooManyReplays(Conflict):
    """As many replays are under way as one webhook may have."""

    code = "replay_limit"
    detail = gettext_noop("Too many replays and tests of this webhook are under way.")


def endpoint_create(
    *,
    actor: User,
    url: str,
    types: Sequence[int],
    everything: bool,
    after: int | None = None,
    batch: int = 1,
) -> Endpoint:
    """Make an endpoint, inside a transaction; ``addresses.check`` has seen its URL.

    It begins after the position ``after``, or at the end of the log. Raise ``Forbidden``,
    ``PositionUnknown`` or ``TooManyEndpoints``.
    """
    check_readable(actor.permissions, types, everything=everything)
    position = _known(after)
    # The lock lets two requests of one account not pass the limit together.
    User.objects.select_for_update(no_key=True).only("pk").get(pk=actor.pk)
    if Endpoint.objects.filter(owner=actor).count() >= settings.WEBHOOKS_PER_ACCOUNT:
        raise TooManyEndpoints()
    endpoint = Endpoint(
        owner=actor,
        url=url,
        types=list(types),
        everything=everything,
        batch=batch,
        position=position,
        secret=_sealed(signing.random_secret(), actor.pk),
    )
    endpoint.save(force_insert=True)
    endpoint.refresh_from_db()
    _record("webhook.created", endpoint, actor, after=_facts(endpoint))
    return endpoint


def secret_of(endpoint: Endpoint) -> str:
    """Return the secret that signs at present."""
    return unseal(endpoint.secret, account=endpoint.owner_id, column=signing.COLUMN).decode()


def secrets_of(endpoint: Endpoint) -> list[str]:
    """Return the secrets that sign, the newest first."""
    found = [secret_of(endpoint)]
    until = endpoint.previous_until
    if endpoint.previous_secret and until is not None and until > timezone.now():
        column = signing.PREVIOUS_COLUMN
        found.append(
            unseal(endpoint.previous_secret, account=endpoint.owner_id, column=column).decode()
        )
    return found


def endpoint_change(
    *,
    actor: User,
    endpoint: Endpoint,
    url: str | None = None,
    types: Sequence[int] | None = None,
    state: str | None = None,
) -> Endpoint:
    """Change an endpoint; ``None`` stays as it is. An enabled one goes on from its cursor.

    Raise ``Forbidden`` where the caller may not read what would be sent, because somebody with
    rights to webhooks alone could send everybody's events to an address of their own.
    """
    with transaction.atomic():
        endpoint = _locked(endpoint)
        before = _facts(endpoint)
        personal = {} if url in (None, endpoint.url) else {"url": url, "before": endpoint.url}
        endpoint.url = endpoint.url if url is None else url
        endpoint.types = endpoint.types if types is None else list(types)
        if state != Endpoint.State.DISABLED:
            check_readable(actor.permissions, endpoint.types, everything=endpoint.everything)
        if state == Endpoint.State.DISABLED and endpoint.state != state:
            _stop(endpoint, Endpoint.Reason.OWNER)
        elif state == Endpoint.State.ACTIVE and endpoint.state != state:
            _go_on(endpoint)
        endpoint.save()
        if _facts(endpoint) != before or personal:
            _record(
                "webhook.changed",
                endpoint,
                actor,
                before=before,
                after=_facts(endpoint),
                personal=personal,
            )
    return endpoint


def endpoint_delete(*, actor: User, endpoint: Endpoint) -> None:
    """Delete an endpoint, and what is known of its deliveries."""
    with transaction.atomic():
        endpoint = _locked(endpoint)
        _record("webhook.deleted", endpoint, actor, before=_facts(endpoint))
        endpoint.delete()


def secret_rotate(*, actor: User, endpoint: Endpoint, overlap_hours: int) -> Endpoint:
    """Give an endpoint a new secret, inside a transaction. Both sign during the overlap."""
    endpoint = _locked(endpoint)
    old = secret_of(endpoint).encode()
    endpoint.previous_secret, endpoint.previous_until = "", None
    if overlap_hours:
        endpoint.previous_secret = seal(
            old, account=endpoint.owner_id, column=signing.PREVIOUS_COLUMN
        )
        endpoint.previous_until = timezone.now() + timedelta(hours=overlap_hours)
    endpoint.secret = _sealed(signing.random_secret(), endpoint.owner_id)
    endpoint.save(update_fields=["secret", "previous_secret", "previous_until"])
    _record("webhook.rotated", endpoint, actor, after={"overlap_hours": overlap_hours})
    return endpoint


def test_send(*, endpoint: Endpoint) -> Delivery:
    """Queue a message without events, inside a transaction."""
    endpoint = _locked(endpoint)
    _check_room(endpoint)
    return _make(endpoint, Delivery.Kind.TEST, endpoint.position, endpoint.position, 0, 0)


def replay_start(
    *, actor: User, endpoint: Endpoint, after: int, until: int | None
) -> tuple[Delivery | None, int]:
    """Queue the events of a range again, inside a transaction; the cursor does not move.

    Return the first delivery, ``None`` if the range holds no event for the endpoint, and its end.
    """
    check_readable(actor.permissions, endpoint.types, everything=endpoint.everything)
    endpoint = _locked(endpoint)
    _check_room(endpoint)
    goal = _known(until)
    if after > goal:
        detail = "The range ends before it begins."
        raise ValidationFailed([FieldError("invalid", detail, "after")])
    _record("webhook.replayed", endpoint, actor, after={"after": after, "until": goal})
    return replay_on(endpoint, after=after, goal=goal), goal


def replay_on(endpoint: Endpoint, *, after: int, goal: int) -> Delivery | None:
    """Make the next delivery of a replay, inside a transaction."""
    found = next_range(endpoint.owner, endpoint, after=after, end=goal)
    if not found.events:
        return None
    count = len(found.events)
    return _make(endpoint, Delivery.Kind.REPLAY, after, found.until, goal, count)


def live_next(endpoint: Endpoint) -> Delivery | None:
    """Make the delivery after the cursor, inside a transaction; move the cursor if there is none.

    The delivery is committed before it is sent, so that every attempt has its id.
    """
    end = latest_position()
    if end <= endpoint.position:
        return None
    found = next_range(endpoint.owner, endpoint, after=endpoint.position, end=end)
    if not found.events:
        endpoint.position = end
        endpoint.save(update_fields=["position"])
        return None
    count = len(found.events)
    return _make(endpoint, Delivery.Kind.LIVE, endpoint.position, found.until, found.until, count)


def delivery_retry(*, endpoint: Endpoint, delivery: Delivery) -> Delivery:
    """Let a delivery that waits or failed be sent at once, inside a transaction."""
    endpoint = _locked(endpoint)
    delivery = Delivery.objects.select_for_update().get(pk=delivery.pk)
    if delivery.state == Delivery.State.DELIVERED:
        raise AlreadyDelivered()
    if endpoint.state != Endpoint.State.ACTIVE:
        raise EndpointDisabled()
    if delivery.state == Delivery.State.FAILED:
        delivery.state, delivery.attempts, delivery.finished_at = Delivery.State.PENDING, 0, None
        delivery.save(update_fields=["state", "attempts", "finished_at"])
    endpoint.retry_at = None
    endpoint.save(update_fields=["retry_at"])
    return delivery


def endpoint_disable(endpoint: Endpoint, reason: str) -> None:
    """Disable an endpoint for a reason of the shop, inside a transaction, and tell its owner."""
    before = _facts(endpoint)
    _stop(endpoint, reason)
    endpoint.save(update_fields=["state", "disabled_reason", "retry_at", "claim", "claimed_at"])
    _record("webhook.disabled", endpoint, None, before=before, after=_facts(endpoint))
    owner = endpoint.owner
    if owner.email and owner.is_active:
        context = {
            "user": owner,
            "endpoint": endpoint,
            "reason": reason,
            "webhook_url": f"{settings.SITE_URL}/webhooks/{endpoint.pk}/",
        }
        get_adapter().send_mail("account/email/webhook_disabled", owner.email, context)


def _stop(endpoint: Endpoint, reason: str) -> None:
    endpoint.state, endpoint.disabled_reason = Endpoint.State.DISABLED, reason
    endpoint.retry_at = endpoint.claim = endpoint.claimed_at = None


def _go_on(endpoint: Endpoint) -> None:
    """Enable an endpoint. The delivery that failed last is tried anew, under its id."""
    endpoint.state, endpoint.disabled_reason = Endpoint.State.ACTIVE, ""
    endpoint.failing_since = endpoint.retry_at = None
    deliveries = Delivery.objects.filter(endpoint=endpoint)
    live = deliveries.filter(kind=Delivery.Kind.LIVE)
    if not live.filter(state=Delivery.State.PENDING).exists():
        live.filter(after=endpoint.position, state=Delivery.State.FAILED).update(
            state=Delivery.State.PENDING, finished_at=None
        )
    deliveries.filter(state=Delivery.State.PENDING).update(attempts=0)


def _locked(endpoint: Endpoint) -> Endpoint:
    return (
        Endpoint.objects.select_for_update(of=("self",)).select_related("owner").get(pk=endpoint.pk)
    )


def _known(position: int | None) -> int:
    end = latest_position()
    if position is None:
        return end
    if position > end:
        raise PositionUnknown()
    return position


def _check_room(endpoint: Endpoint) -> None:
    if endpoint.state != Endpoint.State.ACTIVE:
        raise EndpointDisabled()
    waiting = Delivery.objects.filter(endpoint=endpoint, state=Delivery.State.PENDING)
    if waiting.exclude(kind=Delivery.Kind.LIVE).count() >= REPLAYS_MAX:
        raise TooManyReplays()


def _make(
    endpoint: Endpoint, kind: str, after: int, until: int, goal: int, events: int
) -> Delivery:
    delivery = Delivery(
        endpoint=endpoint,
        kind=kind,
        after=after,
        until=until,
        goal=goal,
        types=endpoint.types,
        events=events,
    )
    delivery.save(force_insert=True)
    delivery.refresh_from_db()
    return delivery


def _sealed(secret: str, account: int) -> str:
    return seal(secret.encode(), account=account, column=signing.COLUMN)


def _facts(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "events": names_of(endpoint.types),
        "scope": "all" if endpoint.everything else "mine",
        "state": endpoint.state,
        "reason": endpoint.disabled_reason,
    }


def _record(
    action: str,
    endpoint: Endpoint,
    actor: User | None,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    personal: Mapping[str, Any] | None = None,
) -> None:
    record(
        action,
        object=f"webhook:{endpoint.pk}",
        actor_id=None if actor is None else actor.pk,
        account_id=endpoint.owner_id,
        before=before,
        after=after,
        personal=personal or {"url": endpoint.url},
    )
