"""The shape of a profile in the API."""

from functools import cache
from typing import Any

import pycountry
from rest_framework import serializers

from accounts.models import User
from accounts.serializers import LineField, TextField
from billing.parties.models import ADDRESS_MAX_LENGTH, NAME_MAX_LENGTH, Profile
from billing.parties.vat_ids import written
from shop.core.bodies import Body
from shop.core.text import printable
from shop.core.times import iso

ADDRESS_LINES_MAX = 8


@cache
def countries() -> frozenset[str]:
    """Return the codes of ISO 3166-1, two letters each."""
    return frozenset(country.alpha_2 for country in pycountry.countries)


class AddressField(TextField):
    """Some lines of text, which end with ``\\n``."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data).replace("\r\n", "\n").replace("\r", "\n")
        lines = [line.strip() for line in text.split("\n")]
        lines = [line for line in lines if line]
        if not all(map(printable, lines)):
            self.fail("invalid")
        if len(lines) > ADDRESS_LINES_MAX:
            raise serializers.ValidationError(
                f"Give at most {ADDRESS_LINES_MAX} lines.", code="max_length"
            )
        return "\n".join(lines)


class ProfileSerializer(Body):
    username = TextField(required=False, help_text="Whose profile it is; else your own.")
    userid = TextField(required=False)
    name = LineField(max_length=NAME_MAX_LENGTH, allow_blank=True, default="")
    address = AddressField(max_length=ADDRESS_MAX_LENGTH, allow_blank=True, default="")
    country = TextField(
        max_length=2, allow_blank=True, default="", help_text="Two letters, by ISO 3166-1."
    )
    vat_id = TextField(max_length=40, allow_blank=True, default="")
    vat_check = serializers.ChoiceField(
        Profile.VatCheck.values,
        read_only=True,
        help_text="What the EU's register says; `unchecked` until it has answered.",
    )
    vat_checked_at = serializers.DateTimeField(read_only=True, allow_null=True)

    def validate_country(self, value: str) -> str:
        """Return the code in capitals."""
        if value and value.upper() not in countries():
            raise serializers.ValidationError("This is no country of ISO 3166-1.", code="invalid")
        return value.upper()

    def validate_vat_id(self, value: str) -> str:
        """Return the VAT id in its one spelling."""
        try:
            return written(value) if value else ""
        except ValueError:
            raise serializers.ValidationError(
                "No country gives out such a VAT id. It begins with two letters.", code="invalid"
            ) from None


def profile_data(account: User, profile: Profile) -> dict[str, Any]:
    """Return a profile as the API shows it."""
    checked = profile.vat_checked_at
    return {
        "username": account.username,
        "userid": account.userid,
        "name": profile.name,
        "address": profile.address,
        "country": profile.country,
        "vat_id": profile.vat_id,
        "vat_check": profile.vat_check,
        "vat_checked_at": iso(checked) if checked else None,
    }
