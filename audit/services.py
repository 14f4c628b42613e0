""":func:`record`, the only way to write an entry of the audit."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction
from django.dispatch import Signal

from audit.actions import declared_actions
from audit.chain import canonical, digest, plain
from audit.context import origin
from audit.models import COLUMN, Detail, Waiting
from shop.core.sealing import seal

recorded = Signal()
"""Sent in the transaction of each entry, with what ``record`` was told of it."""
ENTRY_MAX_BYTES = 16 * 1024
_OBJECT = re.compile(r"[a-z][a-z0-9_.]{0,39}:[A-Za-z0-9._-]{1,79}", re.ASCII)
_ACCOUNT = re.compile(r"account:([0-9]{1,18})", re.ASCII)
_AGENT_MAX_LENGTH = 400

_RECORD = f"""
WITH entry AS (
    INSERT INTO {Waiting._meta.db_table} (id, at, action, actor_id, account_id, object, before,
        after, credential, request_id, commitment)
    VALUES (uuidv7(), clock_timestamp(), %(action)s, %(actor)s, %(account)s, %(object)s,
        %(before)s, %(after)s, %(credential)s, %(request_id)s, %(commitment)s)
    RETURNING id
)
INSERT INTO {Detail._meta.db_table} (id, account_id, actor_id, sealed)
SELECT id, %(sealed_for)s, %(actor)s, %(sealed)s FROM entry WHERE %(sealed)s::text <> ''
"""  # noqa: S608


def record(
    action: str,
    *,
    object: str,
    actor_id: int | None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    personal: Mapping[str, Any] | None = None,
    account_id: int | None = None,
) -> None:
    """Write an entry in the transaction of the change that it tells of.

    ``action`` is ``part.verb``, and declared by an app. ``object`` is ``kind:id``, never a name or
    an address. ``before`` and ``after`` name nobody either, because the chain keeps them for ever.
    ``personal`` may name somebody; it lies beside the chain, with the client's address and program,
    until an erasure. ``account_id`` is the account that the entry is about, if that is not the
    object, and else the actor. Credential and request id are those of the present request, task or
    command.

    Raise ``TransactionManagementError`` outside of a transaction, ``LookupError`` for an action
    that no app declares, and ``ValueError`` for an object or a value that cannot be recorded.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            f"{action}: record() needs the transaction of the change."
        )
    if action not in declared_actions():
        raise LookupError(f"No app declares the action {action}.")
    if not _OBJECT.fullmatch(object):
        raise ValueError(f"{action}: {object!r} is not kind:id.")
    if account_id is None:
        match = _ACCOUNT.fullmatch(object)
        account_id = int(match[1]) if match else actor_id
    come_from = origin()
    given = {
        "address": come_from.address,
        "agent": come_from.agent[:_AGENT_MAX_LENGTH],
        **(personal or {}),
    }
    details = plain({name: value for name, value in given.items() if value not in ("", None)})
    commitment = sealed = ""
    if details:
        # Nobody can guess the details from their digest, because the salt goes with them.
        details["salt"] = secrets.token_hex(16)
        commitment = digest(details)
        sealed = seal(canonical(details), account=account_id or 0, column=COLUMN)
    values = [None if value is None else canonical(plain(value)) for value in (before, after)]
    if sum(len(each) for each in [*filter(None, values), sealed]) > ENTRY_MAX_BYTES:
        raise ValueError(f"{action}: the entry is larger than {ENTRY_MAX_BYTES} bytes.")
    texts = [None if value is None else value.decode() for value in values]
    with connection.cursor() as cursor:
        cursor.execute(
            _RECORD,
            {
                "action": action,
                "actor": actor_id,
                "account": account_id,
                "object": object,
                "before": texts[0],
                "after": texts[1],
                "credential": come_from.credential,
                "request_id": come_from.request_id,
                "commitment": commitment,
                "sealed_for": account_id or 0,
                "sealed": sealed,
            },
        )
    recorded.send(
        record,
        action=action,
        account_id=account_id,
        actor_id=actor_id,
        before=before or {},
        after=after or {},
    )


def details_erase(account_id: int) -> int:
    """Delete the personal details of every entry by or about an account; return their number.

    The entries stay, and tell one erased account from another by its id. Call it in the transaction
    of the erasure.
    """
    erased = 0
    for column in ("account_id", "actor_id"):
        erased += Detail.objects.filter(**{column: account_id}).delete()[0]
    return erased
