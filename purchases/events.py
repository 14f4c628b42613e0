"""The event of a recorded purchase."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection

from events.models import PURCHASE_RECORDED
from events.types import EventType
from purchases.models import Purchase
from purchases.representation import PurchaseData, purchase_data
from purchases.sql import array

_LOAD = f"""
SELECT purchase.id, purchase.id::text, customer.username, customer.userid, purchase.item,
       purchase.quantity, purchase.price, purchase.currency, purchase."timestamp",
       purchase.received_at
FROM {Purchase._meta.db_table} AS purchase
JOIN accounts_user AS customer ON customer.id = purchase.customer_id
WHERE purchase.id = ANY (%s::uuid[])
"""  # noqa: S608


def load(keys: Sequence[UUID]) -> Mapping[UUID, Mapping[str, Any]]:
    """Return the API data of these purchases by id, as their events show them."""
    connection.ensure_connection()
    # Django's own cursor takes twice as long for as many rows.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(_LOAD, [array([key.hex for key in keys])], prepare=True, binary=True)
        found = [(key, purchase_data(*row)) for key, *row in cursor.fetchall()]
    return {key: {"at": data["received_at"], "purchase": data} for key, data in found}


RECORDED = EventType(
    "purchase.recorded",
    PURCHASE_RECORDED,
    "purchases",
    "A purchase was recorded. The event has it as `purchase`, in the place of `data`.",
    PurchaseData,
    load,
)
EVENT_TYPES = (RECORDED,)
