"""Parsing and rendering of a single purchase, shared by ``protocol`` and ``middleware``."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from accounts.authentication import given_token, token_digest
from purchases.classic import classic_error, classic_purchase, classic_recorded
from purchases.entries import Outcome
from purchases.ingest.engine import ingest
from purchases.routes import BUYS, PURCHASES, purchase_path
from purchases.validation import PurchaseInput, parse_purchase
from shop.core.errors import ApplicationError, error_body, error_headers
from shop.core.idempotency import parse_idempotency_key
from shop.core.parsers import decode_json
from shop.server.hosts import is_ours

BODY_MAX_BYTES = 64 * 1024
API_PATH = PURCHASES
PATHS = frozenset({API_PATH, *BUYS})
_JSON = (b"application/json", b"application/json;charset=utf-8")


def token_of(headers: dict[bytes, bytes], query: bytes | None) -> str | None:
    """Return the token's digest if the ingest takes the request, else ``None``.

    ``headers`` are those of a POST to one of ``PATHS``, with names in lower case.
    """
    length = headers.get(b"content-length", b"")
    token = given_token(headers.get(b"authorization", b""))
    if (
        token is None
        or not length.isdigit()
        or len(length) > 6
        or not 0 < int(length) <= BODY_MAX_BYTES
        or b"transfer-encoding" in headers
        or b"content-encoding" in headers
        or query
        or not is_ours(headers.get(b"host", b""))
        or ingest.closing
    ):
        return None
    content_type = headers.get(b"content-type", b"")
    if content_type != b"application/json" and (
        content_type.replace(b" ", b"").lower() not in _JSON
    ):
        return None
    return token_digest(token)


def parse(
    headers: dict[bytes, bytes], body: bytes, *, classic: bool
) -> tuple[PurchaseInput, str | None]:
    """Return purchase and idempotency key; raise ``ApplicationError`` for a malformed request."""
    data = decode_json(body)
    key = headers.get(b"idempotency-key")
    idempotency_key = parse_idempotency_key(None if key is None else key.decode("latin-1"))
    if classic:
        data = classic_purchase(data)
    return parse_purchase(data, now=datetime.now(UTC)), idempotency_key


def render(outcome: Outcome, *, classic: bool) -> tuple[int, bytes, dict[str, str]]:
    """Return the status, the body and the extra headers of an answer."""
    if isinstance(outcome, ApplicationError):
        error = classic_error(outcome) if classic else error_body(outcome)
        return outcome.status, msgspec.json.encode(error), error_headers(outcome)
    purchase = outcome.purchase
    answer: Any = classic_recorded(purchase) if classic else purchase
    body = msgspec.json.encode(answer)
    if outcome.replayed:
        return 200, body, {"Idempotent-Replayed": "true"}
    if classic:
        return 200, body, {}
    return 201, body, {"Location": purchase_path(purchase["id"])}
