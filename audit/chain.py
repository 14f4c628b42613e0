"""The bytes of an entry, and its hash.

The canonical form of a value is its JSON as RFC 8785 has it: members sorted by name, no blanks,
UTF-8, and no escapes but those that JSON needs. Values are objects, lists, strings, whole numbers
below 2**53, ``true``, ``false`` and ``null``. Names of members are ASCII.

The hash of an entry is SHA-256, in hexadecimal, of the canonical form of an object with exactly
``MEMBERS``. ``previous`` is the hash of the entry before, or 64 zeros.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.utils.functional import Promise

MEMBERS = (
    *("seq", "at", "actor", "action", "object", "account", "before", "after"),
    *("credential", "request_id", "commitment", "previous"),
)
"""What the hash covers. An answer or an export may have more."""

_NAME = re.compile(r"[!-~]{1,64}", re.ASCII)
_NUMBER_MAX = 2**53 - 1
# PostgreSQL stores neither NUL nor half of a surrogate pair.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def canonical(value: Any) -> bytes:
    """Return the canonical form of a value that ``plain`` returned."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical form, in hexadecimal."""
    return sha256(canonical(value)).hexdigest()


def plain(value: Any) -> Any:
    """Return a value as one that has a canonical form. Raise ``ValueError`` if there is none.

    Times, numbers that are not whole, and ids become text.
    """
    if isinstance(value, Enum):
        value = value.value
    match value:
        case None | bool():
            return value
        case int() if abs(value) <= _NUMBER_MAX:
            return int(value)
        case str() | Promise():
            return _UNSTORABLE.sub("\ufffd", str(value))
        case datetime():
            return time_text(value)
        case date() | UUID() | Decimal() | int():
            return str(value)
        case Mapping():
            if bad := [key for key in value if not _NAME.fullmatch(str(key))]:
                raise ValueError(f"A member cannot be called {bad[0]!r}.")
            return {str(key): plain(each) for key, each in value.items()}
        case set() | frozenset():
            return sorted(plain(each) for each in value)
        case list() | tuple():
            return [plain(each) for each in value]
    raise ValueError(f"{type(value).__name__} has no canonical form.")


def time_text(moment: datetime) -> str:
    """Return a time as entries hold it: UTC, six digits after the point, ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def account_text(pk: int | None) -> str | None:
    """Return an account as entries name it."""
    return None if pk is None else f"account:{pk}"


def members(row: Any, *, seq: int, previous: str) -> dict[str, Any]:
    """Return what the hash covers; ``row`` is a ``Waiting`` or an ``Entry``."""
    return {
        "seq": seq,
        "at": time_text(row.at),
        "actor": account_text(row.actor_id),
        "action": row.action,
        "object": row.object,
        "account": account_text(row.account_id),
        "before": row.before,
        "after": row.after,
        "credential": row.credential,
        "request_id": row.request_id,
        "commitment": row.commitment,
        "previous": previous,
    }
