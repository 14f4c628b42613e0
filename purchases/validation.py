"""The rules of a purchase, in one place for all routes.

The Django view, the batched path, bulk, import and the pages all call :func:`parse_purchase`, which
alone decides whether a purchase is valid.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any

import msgspec

from accounts.models import USERID_MAX_LENGTH, USERNAME_MAX_LENGTH
from accounts.names import normalise
from purchases.currencies import currencies, was_valid, withdrawn
from purchases.models import ITEM_MAX_LENGTH, PRICE_DECIMAL_PLACES, PRICE_MAX_DIGITS, QUANTITY_MAX
from shop.core.errors import FieldError, ValidationFailed
from shop.core.site_settings.general import DEFAULT_CURRENCY
from shop.core.text import UNPRINTABLE

FUTURE_TOLERANCE = timedelta(minutes=5)

_CENT = Decimal(10) ** -PRICE_DECIMAL_PLACES
_MAX_PRICE = Decimal(10) ** (PRICE_MAX_DIGITS - PRICE_DECIMAL_PLACES)
_DECIMAL = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?"
    r"(?P<offset>[Zz]|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
# Embeddings, overrides and isolates are refused, because they make one item look like another.
# Directional marks stay, because Arabic and Hebrew texts need them.
_OVERRIDES = re.compile("[\u202a-\u202e\u2066-\u2069]")


# A struct, one for each purchase, is created ten times as fast as a frozen dataclass.
class PurchaseInput(msgspec.Struct, frozen=True, gc=False):
    """A purchase that keeps every rule, before its customer is looked up.

    ``userid`` and ``username`` are ``None`` where the caller named no customer, ``timestamp`` where
    it gave no time. ``price`` has two decimals and ``timestamp`` is in UTC.
    """

    item: str
    quantity: int
    price: Decimal
    currency: str
    timestamp: datetime | None
    userid: str | None
    username: str | None


class _Invalid(Exception):
    """One field's error, which joins the list of all errors."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def _text(value: Any, maximum: int) -> str:
    if not isinstance(value, str):
        raise _Invalid("invalid", "Not a valid string.")
    value = value.strip()
    if len(value) > maximum:
        raise _Invalid("max_length", f"Ensure this field has no more than {maximum} characters.")
    if found := UNPRINTABLE.search(value):
        raise _Invalid(
            "invalid_characters",
            "This text is not UTF-8."
            if found[0] > "\x9f"
            else "Control characters are not allowed.",
        )
    return value


def _item(value: Any, maximum: int) -> str:
    value = _text(value, maximum)
    if _OVERRIDES.search(value):
        raise _Invalid("invalid", "Characters that override the direction are not allowed.")
    return str(value)


def _name(value: Any, maximum: int) -> str | None:
    if value is None:
        return None
    # Normalization cannot make a far too long text valid, so it is skipped.
    if isinstance(value, str) and len(value) <= 4 * maximum:
        value = normalise(value)
    value = _text(value, maximum)
    if not value:
        raise _Invalid("blank", "This field may not be blank.")
    return str(value)


def is_plain_number(text: str) -> bool:
    """Return whether the text is a number in at most 80 ASCII digits, with no exponent."""
    return _DECIMAL.fullmatch(text) is not None


def _decimal(value: Any) -> Decimal:
    if isinstance(value, str):
        value = value.strip()
        if not is_plain_number(value):
            raise _Invalid("invalid", "A valid number is required.")
    elif isinstance(value, bool) or not isinstance(value, (int, Decimal, float)):
        raise _Invalid("invalid", "A valid number is required.")
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise _Invalid("invalid", "A valid number is required.") from None
    if not number.is_finite():
        raise _Invalid("invalid", "A valid number is required.")
    return number


def _price(value: Any, bound: Decimal) -> Decimal:
    number = _decimal(value)
    if number < 0:
        raise _Invalid("min_value", "Ensure this value is greater than or equal to 0.")
    if number >= bound:
        raise _Invalid(
            "max_digits", f"Ensure that there are no more than {PRICE_MAX_DIGITS} digits in total."
        )
    if number.same_quantum(_CENT):
        return abs(number)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -PRICE_DECIMAL_PLACES:
        raise _Invalid(
            "max_decimal_places",
            f"Ensure that there are no more than {PRICE_DECIMAL_PLACES} decimal places.",
        )
    return abs(number.quantize(_CENT))


def _quantity(value: Any, maximum: int) -> int:
    if isinstance(value, str):
        value = value.strip()
        if not _INTEGER.fullmatch(value):
            raise _Invalid("invalid", "A valid integer is required.")
        value = int(value)
    elif isinstance(value, (Decimal, float)):
        number = _decimal(value)
        if number.adjusted() > 20 or number != number.to_integral_value():
            raise _Invalid("invalid", "A valid integer is required.")
        value = int(number)
    elif isinstance(value, bool) or not isinstance(value, int):
        raise _Invalid("invalid", "A valid integer is required.")
    if value < 1:
        raise _Invalid("min_value", "Ensure this value is greater than or equal to 1.")
    if value > maximum:
        raise _Invalid("max_value", f"Ensure this value is less than or equal to {maximum}.")
    return int(value)


def _currency(value: Any, length: int) -> str:
    """Return a current or withdrawn code; a later check compares it with the purchase's time."""
    if isinstance(value, str) and value not in currencies():
        value = value.strip()
        # Only ASCII, because some letters of other alphabets have ASCII capitals.
        value = value.upper() if value.isascii() and len(value) == length else ""
    if not isinstance(value, str) or not (value in currencies() or value in withdrawn()):
        raise _Invalid("invalid_currency", "Not a currency code of ISO 4217, such as EUR.")
    return value


def parse_moment(value: Any) -> datetime:
    """Return an ISO 8601 time with an offset as a datetime in UTC.

    Raise ``ValueError`` with a sentence for the client. Digits beyond the microsecond are dropped.
    """
    if not isinstance(value, str):
        raise ValueError("Give a string in ISO 8601, such as 2024-05-31T15:54:32Z.")
    value = value.strip()
    match = _TIMESTAMP.fullmatch(value)
    if not match:
        raise ValueError("Not a time in ISO 8601, such as 2024-05-31T15:54:32Z.")
    if not match["offset"]:
        raise ValueError("The time needs an offset, such as Z or +02:00.")
    try:
        return datetime.fromisoformat(value.replace(",", ".").upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("There is no such time.") from None


def _timestamp(value: Any, now: datetime) -> datetime:
    try:
        moment = value.astimezone(UTC) if isinstance(value, datetime) else parse_moment(value)
    except ValueError as error:
        raise _Invalid("invalid", str(error)) from None
    if moment > now + FUTURE_TOLERANCE:
        raise _Invalid("in_the_future", "The time is more than 5 minutes in the future.")
    return moment


def parse_purchase(data: Any, *, now: datetime) -> PurchaseInput:
    """Return the purchase that ``data``, a mapping decoded from JSON, CSV or a form, describes.

    ``now`` is the server's time. Numbers may come as ``int``, ``Decimal``, ``float`` or digits;
    ``timestamp`` also as an aware datetime. Unknown fields are ignored, but for a ``coupon``. Raise
    ``ValidationFailed`` that names every field that breaks a rule.
    """
    if not isinstance(data, Mapping):
        kind = type(data).__name__
        raise ValidationFailed([FieldError("invalid", f"Expected an object, not {kind}.")])
    errors: list[FieldError] = []
    values: dict[str, Any] = {}
    if "coupon" in data:
        detail = "A purchase with a coupon is recorded at /api/v1/billing/purchases/."
        errors.append(FieldError("coupon_not_taken_here", detail, "coupon"))
    for name, parse, limit in _FIELDS:
        value = data.get(name)
        if value is None:
            if name not in data:
                if name == "price":
                    errors.append(FieldError("required", "This field is required.", "price"))
            elif name not in _NULLABLE:
                errors.append(FieldError("null", "This field may not be null.", name))
            continue
        try:
            values[name] = parse(value, now if limit is None else limit)
        except _Invalid as error:
            errors.append(FieldError(error.code, error.detail, name))
    get = values.get
    currency = get("currency")
    if currency in withdrawn() and not was_valid(currency, get("timestamp") or now):
        year, month = withdrawn()[currency]
        detail = f"{currency} was a currency until {year}-{month:02}."
        errors.append(FieldError("invalid_currency", detail, "currency"))
    if errors:
        raise ValidationFailed(errors)
    return PurchaseInput(
        get("item", ""),
        get("quantity", 1),
        values["price"],
        currency or DEFAULT_CURRENCY.value,
        get("timestamp"),
        get("userid"),
        get("username"),
    )


# Each field, its parser, and the limit that the parser gets; ``None`` stands for the time.
_FIELDS: tuple[tuple[str, Callable[[Any, Any], Any], Any], ...] = (
    ("item", _item, ITEM_MAX_LENGTH),
    ("quantity", _quantity, QUANTITY_MAX),
    ("price", _price, _MAX_PRICE),
    ("currency", _currency, 3),
    ("timestamp", _timestamp, None),
    ("userid", _name, USERID_MAX_LENGTH),
    ("username", _name, USERNAME_MAX_LENGTH),
)
FIELDS = tuple(name for name, *_ in _FIELDS)
# Whoever sends one expects to pay less, so no reader may drop it as it drops unknown fields.
REFUSED = ("coupon",)
_NULLABLE = frozenset({"timestamp", "userid", "username"})


# No part can contain the delimiter, because control characters are refused everywhere.
DELIMITER = "\x1f"


def delimited(*parts: object) -> str:
    """Join the parts with a delimiter that none of them can contain."""
    return DELIMITER.join([str(part) for part in parts])


def digest(text: str) -> str:
    """Return a 128-bit digest of a text as 32 hexadecimal digits.

    It identifies a purchase of one customer or one caller, so that no other account can cause a
    collision.
    """
    return blake2b(text.encode(), digest_size=16).hexdigest()
