"""Texts that only a process with the keys can read, such as the secrets of second factors.

``DATA_KEYS`` are the keys, by id. The first seals, and all unseal, so that a new key can be added
while processes of before still run. None of them has to do with ``DJANGO_SECRET_KEY``.

A sealed text is ``v1|key id|nonce|ciphertext|tag`` (AES-256-GCM, the last three in base64url). The
column and the account are authenticated with it. So a text that is copied to another row of another
account, or to another column, cannot be unsealed there.
"""

import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import connection, transaction
from psycopg import sql

from shop.core.apps import sealed_columns
from shop.core.database import no_statement_timeout

_VERSION = "v1"
_NONCE, _TAG = 12, 16
_SEALED = re.compile(r"v1\|([a-z0-9]{1,16})\|([\w-]{16})\|([\w-]*={0,2})\|([\w-]{22}==)")
BATCH = 500


class Unsealable(Exception):
    """The text is not sealed, not for this account and column, or its key is not here."""


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of sealed texts, for the rotation of the keys.

    ``key`` and ``account`` are the columns of the row's own id and of its account's. ``member`` is
    the member of the object, if the column is ``jsonb``. ``name`` is what ``seal`` is told.
    """

    name: str
    table: str
    column: str
    account: str = "user_id"
    key: str = "id"
    member: str = ""


def seal(text: bytes, *, account: int | str, column: str) -> str:
    """Return the text, sealed with the first key for this account and column."""
    key_id = next(iter(settings.DATA_KEYS))
    nonce = os.urandom(_NONCE)
    data = AESGCM(derive("seal", key_id)).encrypt(nonce, text, _bound_to(key_id, account, column))
    parts = (nonce, data[:-_TAG], data[-_TAG:])
    return "|".join([_VERSION, key_id, *(urlsafe_b64encode(part).decode() for part in parts)])


def unseal(sealed: str, *, account: int | str, column: str) -> bytes:
    """Return the text that was sealed for this account and column. Raise ``Unsealable``."""
    match = _SEALED.fullmatch(sealed)
    if match is None or match[1] not in settings.DATA_KEYS:
        raise Unsealable("It is not sealed, or DATA_KEYS lacks its key.")
    key_id = match[1]
    try:
        nonce, text, tag = (urlsafe_b64decode(part) for part in match.groups()[1:])
        return AESGCM(derive("seal", key_id)).decrypt(
            nonce, text + tag, _bound_to(key_id, account, column)
        )
    except (ValueError, InvalidTag):
        raise Unsealable("It was changed, or is not for this account and column.") from None


def is_sealed(text: str) -> bool:
    """Return whether a text looks like a sealed one."""
    return _SEALED.fullmatch(text) is not None


def derive(purpose: str, key_id: str = "") -> bytes:
    """Return 32 bytes for a purpose, from the key with this id or from the first one.

    Raise ``Unsealable`` where there is no such key.
    """
    try:
        key = settings.DATA_KEYS[key_id or next(iter(settings.DATA_KEYS))]
    except KeyError:
        raise Unsealable(f"DATA_KEYS lacks the key {key_id}.") from None
    return _derived(key, purpose)


@lru_cache(maxsize=64)
def _derived(key: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"shop/{purpose}".encode()).derive(key)


def _bound_to(key_id: str, account: int | str, column: str) -> bytes:
    return f"{_VERSION}|{key_id}|{column}|{account}".encode()


def require_keys() -> None:
    """Raise ``Unsealable`` where rows were sealed with a key that is not here."""
    with no_statement_timeout(), connection.cursor() as cursor:
        for column in sealed_columns():
            cursor.execute(
                sql.SQL(
                    "SELECT DISTINCT split_part({text}, '|', 2) FROM {table} WHERE {text} LIKE %s"
                ).format(**_names(column)),
                [f"{_VERSION}|%"],
            )
            missing = sorted({key_id for (key_id,) in cursor} - settings.DATA_KEYS.keys())
            if missing:
                raise Unsealable(
                    f"DATA_KEYS lacks the key {', '.join(missing)}, which seals {column.name}."
                )


def reseal() -> Iterator[tuple[str, int]]:
    """Seal everything anew with the first key; yield each column and the number of its batch.

    Each batch is a transaction of its own. What is sealed with the first key is left out, so an
    interrupted run goes on where it stopped. Raise ``Unsealable`` with the row that resists.
    """
    for column in sealed_columns():
        while count := _reseal_batch(column):
            yield column.name, count


def _reseal_batch(column: SealedColumn) -> int:
    names = _names(column)
    current = next(iter(settings.DATA_KEYS))
    value = sql.SQL("jsonb_set({column}, {path}, to_jsonb(%s::text))" if column.member else "%s")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "SELECT {key}, {account}, {text} FROM {table}"
                " WHERE {text} LIKE %s AND {text} NOT LIKE %s LIMIT %s FOR UPDATE"
            ).format(**names),
            [f"{_VERSION}|%", f"{_VERSION}|{current}|%", BATCH],
        )
        rows = cursor.fetchall()
        for key, account, sealed in rows:
            try:
                text = unseal(sealed, account=account, column=column.name)
            except Unsealable as error:
                raise Unsealable(f"{column.name} of row {key}: {error}") from None
            cursor.execute(
                sql.SQL("UPDATE {table} SET {column} = {value} WHERE {key} = %s").format(
                    value=value.format(**names), **names
                ),
                [seal(text, account=account, column=column.name), key],
            )
    return len(rows)


def _names(column: SealedColumn) -> dict[str, sql.Composable]:
    text: sql.Composable = sql.Identifier(column.column)
    if column.member:
        text = sql.SQL("({} ->> {})").format(text, sql.Literal(column.member))
    return {
        "table": sql.Identifier(column.table),
        "column": sql.Identifier(column.column),
        "key": sql.Identifier(column.key),
        "account": sql.Identifier(column.account),
        "text": text,
        "path": sql.Literal("{" + column.member + "}"),
    }
