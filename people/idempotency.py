"""Answers that are kept for requests with an ``Idempotency-Key``."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from people.models import KeptAnswer
from shop.core.idempotency import IdempotencyKeyReused, parse_idempotency_key

KEPT_FOR = timedelta(days=30)
ROUTE_MAX_LENGTH = 200


def answer_once(request: Request, work: Callable[[], tuple[int, Any]]) -> Response:
    """Answer a request by the status and the body of ``work``, which a repeat does not do again.

    A key is one account's, on one route. What ``work`` does and the kept answer are one
    transaction, so an error keeps nothing. Raise ``IdempotencyKeyReused``, and what ``work`` does.
    """
    key = parse_idempotency_key(request.headers.get("Idempotency-Key"))
    if key is None:
        status, body = work()
        return Response(body, status=status)
    digest = hashlib.sha256(msgspec.json.encode(request.data, order="sorted")).digest()
    place = {"account": request.user, "route": request.path[:ROUTE_MAX_LENGTH], "key": key}
    with transaction.atomic():
        _lock(f"{request.user.pk}|{place['route']}|{key}")
        kept = KeptAnswer.objects.filter(**place).first()
        if kept is not None:
            if bytes(kept.digest) != digest:
                raise IdempotencyKeyReused()
            return Response(kept.body, status=kept.status, headers={"Idempotent-Replayed": "true"})
        status, body = work()
        KeptAnswer.objects.create(digest=digest, status=status, body=body, **place)
    return Response(body, status=status)


def _lock(place: str) -> None:
    """Wait, inside a transaction, for another request with the same key."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [place])


def answers_purge() -> int:
    """Delete answers of some time ago. Return how many."""
    return KeptAnswer.objects.filter(made_at__lt=timezone.now() - KEPT_FOR).delete()[0]
