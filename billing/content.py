"""What a document says, and its canonical bytes.

PDF, XML, API and pages all read these structures. Amounts and rates are ``Decimal``, with as many
decimals as they are shown with; none is negative.
"""

import hashlib
from datetime import date
from decimal import Decimal
from uuid import UUID

import msgspec

VERSION = 1


class Seller(msgspec.Struct, frozen=True, kw_only=True):
    """The shop, as its settings describe it when a document is issued; empty where not set."""

    name: str = ""
    address: str = ""
    city: str = ""
    postcode: str = ""
    country: str = ""
    vat_id: str = ""
    tax_number: str = ""
    email: str = ""
    iban: str = ""
    bic: str = ""


class Buyer(msgspec.Struct, frozen=True, kw_only=True):
    """The customer, as the profile was when the document was issued; lines end with ``\\n``."""

    name: str
    address: str = ""
    country: str = ""
    vat_id: str = ""
    userid: str = ""
    email: str = ""


class ContentLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line. ``credits`` is the invoice's position that a credit note's line corrects."""

    position: int
    purchase: UUID | None
    text: str
    quantity: int
    price: Decimal
    gross: Decimal
    discount: Decimal
    net: Decimal
    tax_category: str
    tax_rate: Decimal
    supplied_on: date | None = None
    credits: int | None = None


class ContentDiscount(msgspec.Struct, frozen=True, kw_only=True):
    """A discount or coupon of the whole document, or of ``lines``. ``amount`` is what it took."""

    coupon: str | None
    reason: str | None
    percent: Decimal | None
    amount: Decimal
    lines: list[int] | None = None


class ContentTax(msgspec.Struct, frozen=True, kw_only=True):
    """The tax of one category and rate; ``exemption`` says why there is none."""

    category: str
    rate: Decimal
    net: Decimal
    tax: Decimal
    exemption: str = ""


class Corrected(msgspec.Struct, frozen=True, kw_only=True):
    """The invoice that a credit note corrects."""

    id: UUID
    number: str
    issued_on: date


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft previews and a document then says, without number, dates and parties."""

    currency: str
    exponent: int
    prices_include_tax: bool
    lines: list[ContentLine]
    discounts: list[ContentDiscount]
    taxes: list[ContentTax]
    net: Decimal
    tax: Decimal
    total: Decimal


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """A whole issued document. ``buyer`` is the digest of the sealed buyer."""

    v: int = VERSION
    kind: str
    id: UUID
    series: str
    sequence: int
    number: str
    issued_on: date
    due_on: date | None
    seller: Seller
    buyer: str
    corrects: Corrected | None = None
    reason: str = ""
    body: Body


_ENCODER = msgspec.json.Encoder(order="deterministic", decimal_format="string")
_DECODER = msgspec.json.Decoder(Content)


def canonical(content: Content) -> bytes:
    """Return the canonical bytes of a document; the same content gives the same bytes."""
    return _ENCODER.encode(content)


def content_of(stored: bytes | memoryview) -> Content:
    """Return the content of canonical bytes. Raise ``msgspec.ValidationError``."""
    return _DECODER.decode(bytes(stored))


def chained(previous_hash: bytes, stored: bytes) -> bytes:
    """Return the hash of a document: SHA-256 of the one before and of the canonical bytes."""
    return hashlib.sha256(previous_hash + stored).digest()
