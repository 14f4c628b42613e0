"""The ``Idempotency-Key`` header: its form, and the refusal of a key with another body."""

from drf_spectacular.utils import OpenApiParameter

from shop.core.errors import ApplicationError, FieldError, ValidationFailed
from shop.core.text import printable

KEY_MAX_LENGTH = 255

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {
        "type": "string",
        "minLength": 1,
        "maxLength": KEY_MAX_LENGTH,
        "pattern": "^[!-~]([ -~]*[!-~])?$",
    },
    OpenApiParameter.HEADER,
    description=(
        "Up to 255 printable characters, scoped to the caller. The same key with the same body "
        "is the same request; with another body it is refused with 422."
    ),
)
"""The header, for the documentation of an operation."""


class IdempotencyKeyReused(ApplicationError):
    """The idempotency key was used before, with another body."""

    status = 422
    code = "idempotency_key_reused"
    detail = "This Idempotency-Key was used before with another body."


def parse_idempotency_key(value: str | None) -> str | None:
    """Return the ``Idempotency-Key`` header, or ``None`` if there is none.

    Raise ``ValidationFailed`` if it is empty, too long or unprintable.
    """
    if value is None:
        return None
    value = value.strip()
    if not value or len(value) > KEY_MAX_LENGTH or not printable(value):
        detail = f"Give 1 to {KEY_MAX_LENGTH} printable characters."
        raise ValidationFailed([FieldError("invalid", detail, "Idempotency-Key")])
    return value
