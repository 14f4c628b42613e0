"""What only a lead's own key opens, and how an address is found without being told.

A lead's key is random, sealed with ``DATA_KEYS``, and deleted by an erasure. Then nobody opens its
columns again, in a backup neither. The index of addresses has a key for each company, which is
sealed, too, so a rotation of ``DATA_KEYS`` changes no digest.
"""

import hashlib
import hmac
import os
import unicodedata
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.exceptions import ValidationError

from accounts.emails import check_email
from quizzes.leads.models import INDEX_KEY, LEAD_KEY, IndexKey, Lead
from shop.core.sealing import derive, seal, unseal

GIVEN_MAX_LENGTH = 320
"""No address is longer as it is typed, by RFC 3696, before its domain becomes ASCII."""
_NONCE = 12
_KEY = 32


def new_key(lead_id: UUID) -> tuple[bytes, str]:
    """Return a key for a lead, and the same sealed for its row."""
    key = os.urandom(_KEY)
    return key, seal(key, account=str(lead_id), column=LEAD_KEY)


def key_of(lead: Lead) -> bytes:
    """Return the key of a lead. Raise ``Unsealable`` for one that is erased."""
    return unseal(lead.key, account=str(lead.pk), column=LEAD_KEY)


def closed(text: str, *, key: bytes, lead_id: UUID, column: str) -> bytes:
    """Return a text, encrypted with a lead's key for this column."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, text.encode(), f"{lead_id}|{column}".encode())


def opened(lead: Lead) -> tuple[str, str]:
    """Return the address and the name of a lead. Raise ``Unsealable`` for one that is erased."""
    key = key_of(lead)
    return _open(lead, "email", key), _open(lead, "name", key)


def _open(lead: Lead, column: str, key: bytes) -> str:
    sealed = getattr(lead, column)
    if not sealed:
        return ""
    sealed = bytes(sealed)
    about = f"{lead.pk}|{column}".encode()
    return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], about).decode()


def normalized(email: str) -> str:
    """Return an address as mail is routed by it. Raise ``ValidationError`` if it is none.

    The local part keeps its case, because some servers look at it.
    """
    email = email.strip()
    # What follows takes the square of the length, and a plain form may hold 64 KB.
    if len(email) > GIVEN_MAX_LENGTH:
        raise ValidationError("Enter a valid email address.", code="invalid")
    local, at, domain = unicodedata.normalize("NFC", email).rpartition("@")
    try:
        ascii_domain = domain.lower().encode("idna").decode("ascii") if at else ""
    except UnicodeError:
        raise ValidationError("Enter a valid email address.", code="invalid") from None
    address = f"{local}@{ascii_domain}"
    check_email(address)
    return address


def index_of(company_id: UUID, address: str) -> bytes:
    """Return the digest by which a company finds a normalized address, whatever its case."""
    return _digest(_index_key(company_id), address)


def known_index(company_id: UUID, address: str) -> bytes | None:
    """Return the digest as ``index_of`` does; ``None`` where the company never had a lead."""
    row = IndexKey.objects.filter(pk=company_id).first()
    return None if row is None else _digest(_opened_key(row), address)


def indexes_of(company_id: UUID, addresses: Sequence[str]) -> list[bytes]:
    """Return the digests of many normalized addresses, in their order, by one query."""
    key = _index_key(company_id)
    return [_digest(key, address) for address in addresses]


def digest_of_day(day: date, address: str) -> str:
    """Return the digest by which mails of one day to an address are counted, of all companies."""
    return _digest(derive(f"quizzes/mails/{day}"), address).hex()


def _digest(key: bytes, address: str) -> bytes:
    return hmac.new(key, address.casefold().encode(), hashlib.sha256).digest()


def _index_key(company_id: UUID) -> bytes:
    row = IndexKey.objects.filter(pk=company_id).first()
    if row is None:
        sealed = seal(os.urandom(_KEY), account=str(company_id), column=INDEX_KEY)
        IndexKey.objects.bulk_create(
            [IndexKey(company_id=company_id, key=sealed)], ignore_conflicts=True
        )
        row = IndexKey.objects.get(pk=company_id)
    return _opened_key(row)


def _opened_key(row: IndexKey) -> bytes:
    return unseal(row.key, account=str(row.pk), column=INDEX_KEY)
