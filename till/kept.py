"""What somebody typed into the till's form before the session ended, kept in an address.

The address leads back to the form after the sign-in. It is signed, so nobody else can fill the form
for somebody, and it says nothing to who reads it in passing.
"""

from collections.abc import Mapping

from django.core import signing
from django.urls import reverse

FIELDS = ("username", "userid", "item", "quantity", "price", "currency", "timestamp")
KEY = "idempotency_key"
_SALT = "till.kept"
_SECONDS = 24 * 3600
_LONGEST = 255


def typed_fields(form: Mapping[str, str]) -> dict[str, str]:
    """Return what is typed into the form, without blanks around it and without empty fields."""
    typed = {name: form.get(name, "").strip() for name in (*FIELDS, KEY)}
    return {name: value for name, value in typed.items() if value}


def address_with(fields: Mapping[str, str]) -> str:
    """Return the address of the form that is filled with the fields; each is cut at its limit."""
    short = {name: value[:_LONGEST] for name, value in fields.items()}
    return f"{reverse('till')}?kept={signing.dumps(short, salt=_SALT, compress=True)}"


def fields_in(text: str) -> dict[str, str]:
    """Return the fields of an address; none if it is not ours or older than a day."""
    try:
        found = signing.loads(text, salt=_SALT, max_age=_SECONDS)
    except signing.BadSignature:
        return {}
    return typed_fields(found)
