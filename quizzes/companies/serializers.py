"""The shapes of the API of companies."""

from typing import Any

import msgspec
from rest_framework import serializers

from accounts.serializers import TextField
from people.models import Membership
from quizzes.companies.brand import URL_MAX_LENGTH, brand_of
from quizzes.companies.models import NAME_MAX_LENGTH, SLUG_MAX_LENGTH, Company, Seat
from shop.core.bodies import Body
from shop.core.times import iso

LOGO_MAX_LENGTH = 90_000


class CompanyInputSerializer(Body):
    slug = TextField(max_length=SLUG_MAX_LENGTH, help_text="Its name in addresses.")
    name = TextField(max_length=NAME_MAX_LENGTH)


class CompanySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=Seat.Role.choices, help_text="Yours.")
    created_at = serializers.DateTimeField()


class BrandSerializer(Body):
    """What is left out of a PUT gets its default; without a name it stays."""

    name = TextField(max_length=NAME_MAX_LENGTH, required=False)
    color = TextField(max_length=7, required=False, help_text="Of headings and buttons.")
    accent = TextField(max_length=7, required=False, help_text="Of links.")
    logo = TextField(
        max_length=LOGO_MAX_LENGTH,
        required=False,
        allow_blank=True,
        help_text="A `data:` address of a PNG, JPEG or WebP of up to 64 KiB; empty for none.",
    )
    reply_to = TextField(max_length=254, required=False, allow_blank=True)
    imprint_url = TextField(max_length=URL_MAX_LENGTH, required=False, allow_blank=True)
    privacy_url = TextField(max_length=URL_MAX_LENGTH, required=False, allow_blank=True)
    retention_days = serializers.IntegerField(
        required=False, help_text="How long leads and what they wrote are kept."
    )


class CompanyMemberInputSerializer(Body):
    role = serializers.ChoiceField(choices=Seat.Role.choices)


class CompanyMemberSerializer(CompanyMemberInputSerializer):
    username = serializers.CharField()
    userid = serializers.CharField()


def company_data(company: Company, role: str | None) -> dict[str, Any]:
    """Return a company as the API shows it to somebody with that role."""
    return {
        "id": str(company.pk),
        "slug": company.slug,
        "name": company.name,
        "role": role,
        "created_at": iso(company.created_at),
    }


def brand_data(company: Company) -> dict[str, Any]:
    """Return the brand as the API shows it."""
    brand = brand_of(company)
    fields = {name: getattr(brand, name) for name in msgspec.structs.asdict(brand)}
    return {"name": company.name, **fields}


def member_data(membership: Membership, role: str) -> dict[str, Any]:
    """Return a member as the API shows it."""
    user = membership.user
    return {"username": user.username, "userid": user.userid, "role": role}
