"""Answers that are kept for requests with an ``Idempotency-Key``."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from people.models import KeptAnswer
from shop.core.idempotency import IdempotencyKeyReused, parse_idempotency_key

KEPT_FOR = timedelta(days=30)
ROUTE_MAX_LENGTH = 200
_IDS = frozenset({"id", "delivery"})


def answer_once(request: Request, work: Callable[[], tuple[int, Any]]) -> Response:
    """Answer a request by the status and the body of ``work``, which a repeat does not do again.

    A key is one account's, on one route. What ``work`` does and the kept answer are one
    transaction, so an error keeps nothing. Raise ``IdempotencyKeyReused``, and what ``work`` does.
    """
    key = parse_idempotency_key(request.headers.get("Idempotency-Key"))
    if key is None:
        with transaction.atomic():
            status, body = work()
        return Response(body, status=status)
    status, body, replayed = keep_once(
        account=request.user, route=route_of(request), key=key, data=request.data, work=work
    )
    headers = {"Idempotent-Replayed": "true"} if replayed else None
    return Response(body, status=status, headers=headers)


def keep_once(
    *, account: Any, route: str, key: str, data: Any, work: Callable[[], tuple[int, Any]]
) -> tuple[int, Any, bool]:
    """Return the status and the body of ``work``, and whether they were kept by a request before.

    Raise ``IdempotencyKeyReused`` for a key that came with other data, and what ``work`` does.
    """
    digest = hashlib.sha256(msgspec.json.encode(data, order="sorted")).digest()
    place = {"account": account, "route": route[:ROUTE_MAX_LENGTH], "key": key}
    with transaction.atomic():
        _lock(f"{account.pk}|{place['route']}|{key}")
        kept = KeptAnswer.objects.filter(**place).first()
        if kept is not None:
            if bytes(kept.digest) != digest:
                raise IdempotencyKeyReused()
            return kept.status, kept.body, True
        status, body = work()
        KeptAnswer.objects.create(digest=digest, status=status, body=body, **place)
    return status, body, False


def route_of(request: Any) -> str:
    """Return the path of a request with the ids in it as we write them.

    Views take ``{0197F3C0…}`` for ``0197f3c0-…``, so a key has to take them for one route.
    """
    path: str = request.path
    for name in _IDS & request.resolver_match.kwargs.keys():
        spelled = str(request.resolver_match.kwargs[name])
        with suppress(ValueError):
            path = path.replace(f"/{spelled}/", f"/{UUID(spelled)}/")
    return path


def _lock(place: str) -> None:
    """Wait, inside a transaction, for another request with the same key."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [place])


def answers_purge() -> int:
    """Delete answers of some time ago. Return how many."""
    return KeptAnswer.objects.filter(made_at__lt=timezone.now() - KEPT_FOR).delete()[0]
