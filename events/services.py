""":func:`emit`, the only way for an app to write an event."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction

from events.models import Outbox
from events.teams import recorder_of
from events.types import EventType, numbered
from shop.core.text import holds_nul

PAYLOAD_MAX_BYTES = 16 * 1024

_EMIT = f"""
INSERT INTO {Outbox._meta.db_table} (id, type, customer_id, recorder_id, payload)
VALUES (coalesce(%s, uuidv7()), %s, %s, %s, %s) RETURNING id
"""  # noqa: S608
# The keys follow the order of the events.
_EMIT_ALL = f"""
INSERT INTO {Outbox._meta.db_table} (id, type, customer_id, recorder_id, payload)
SELECT uuidv7(), %s, customer, team, payload
  FROM unnest(%s::bigint[], %s::bigint[]) WITH ORDINALITY AS t (customer, team, place)
  JOIN jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS u (payload, place) USING (place)
 ORDER BY place
"""  # noqa: S608


def emit(
    type: EventType,
    *,
    customer: int | None = None,
    team: UUID | None = None,
    data: Any = None,
    id: UUID | None = None,
) -> UUID:
    """Write an event in the transaction of the change that it reports; return its key.

    The event exists exactly if that transaction is committed. ``customer`` is the id of the account
    that it is about, or ``team`` that of a team, if the type has events about teams. Such an event
    without both is for those who may write everybody's things of its part. ``data`` is
    the type's struct, or a mapping with its fields. A type with a loader takes no data but an
    ``id``, by which the loader finds them.

    Raise ``TransactionManagementError`` outside of a transaction, ``LookupError`` for a type that
    no app declares, ``msgspec.ValidationError`` for data that do not fit the struct, and
    ``ValueError`` for data that are too large, or text that PostgreSQL does not store.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            f"{type.name}: emit() needs the transaction of the change."
        )
    if numbered(type.number) is not type:
        raise LookupError(f"No app declares {type.name}.")
    if team is not None and (customer is not None or not type.teams):
        raise ValueError(f"{type.name} is about no team, or about a customer, too.")
    payload = None
    if type.load is None:
        payload = _checked(type, data)
    elif data is not None or id is None:
        raise ValueError(f"{type.name} takes an id and no data.")
    with connection.cursor() as cursor:
        about = recorder_of(type, customer=customer, team=team)
        cursor.execute(_EMIT, [id, type.number, customer, about, payload])
        (key,) = cursor.fetchone() or (id,)
    return UUID(str(key))


def emit_all(type: EventType, events: Sequence[tuple[int | UUID | None, Any]]) -> None:
    """Write many events of a type, each a customer or a team and the data, as ``emit`` does."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            f"{type.name}: emit_all() needs the transaction of the change."
        )
    if numbered(type.number) is not type or type.load is not None:
        raise LookupError(f"No app declares {type.name}, with data.")
    teams = [about if isinstance(about, UUID) else None for about, _ in events]
    customers = [None if isinstance(about, UUID) else about for about, _ in events]
    if any(teams) and not type.teams:
        raise ValueError(f"{type.name} is about no team.")
    with connection.cursor() as cursor:
        cursor.execute(
            _EMIT_ALL,
            [
                type.number,
                customers,
                [
                    recorder_of(type, customer=customer, team=team)
                    for team, customer in zip(teams, customers, strict=True)
                ],
                # One text is many times faster to send than an array of texts.
                f"[{','.join(_checked(type, data) for _, data in events)}]",
            ],
        )


def _checked(type: EventType, data: Any) -> str:
    """Return the data as JSON, exactly as the type's struct declares them."""
    # msgspec checks types when it decodes, not when a struct is made.
    plain = {} if data is None else msgspec.to_builtins(data)
    encoded = msgspec.json.encode(msgspec.convert(plain, type.data))
    if len(encoded) > PAYLOAD_MAX_BYTES:
        raise ValueError(f"{type.name}: the data take {len(encoded)} bytes.")
    if holds_nul(encoded):
        raise ValueError(f"{type.name}: the data hold a NUL.")
    return encoded.decode()
