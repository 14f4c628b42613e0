"""Ids that grow with time (UUID version 7), so that indexes stay compact."""

import os
import time
from uuid import UUID

from django.db import models


class UUIDv7(models.Func):
    """PostgreSQL 18's ``uuidv7()``, for ids that the database makes."""

    function = "uuidv7"
    output_field = models.UUIDField()


def uuid7(nanoseconds: int | None = None) -> UUID:
    """Return a new id of that time since 1970, or of now, which this process makes.

    Like the database's, it holds 48 bits of milliseconds, and 12 bits of what is below them
    (RFC 9562, section 6.2, method 3). So ids of one process grow unless 244 ns hold two of them.
    """
    milliseconds, rest = divmod(time.time_ns() if nanoseconds is None else nanoseconds, 1_000_000)
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    return UUID(
        int=(milliseconds & ((1 << 48) - 1)) << 80
        | 7 << 76
        | (rest << 12) // 1_000_000 << 64
        | 2 << 62
        | random
    )
