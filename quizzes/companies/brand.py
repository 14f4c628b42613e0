"""How a company looks and who it is: on its quizzes, in its mails and results."""

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from quizzes.companies.models import NAME_MAX_LENGTH, Company
from shop.core.errors import FieldError, ValidationFailed
from shop.core.site_settings.kinds import Unfit
from shop.core.site_settings.logo import kept_picture
from shop.core.text import printable

COLOUR = re.compile(r"#[0-9a-f]{6}")
LEAST_CONTRAST = 4.5
"""Of text and its ground, as WCAG 2 asks for."""
URL_MAX_LENGTH = 500
RETENTION_DAYS = 730
RETENTION_DAYS_MAX = 3650
_PAPER = "#ffffff"


class Brand(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """``color`` is that of headings and buttons, whose text is white, and ``accent`` of links.

    Both are seen on white paper. ``logo`` is a ``data:`` address of a PNG. ``retention_days`` is
    how long leads and what they wrote are kept.
    """

    color: str = "#1f5c4d"
    accent: str = "#1f5c4d"
    logo: str = ""
    reply_to: str = ""
    imprint_url: str = ""
    privacy_url: str = ""
    retention_days: int = RETENTION_DAYS


def brand_of(company: Company) -> Brand:
    """Return the company's brand; the defaults where it has none."""
    return msgspec.convert(company.brand, Brand)


def parse_brand(given: dict[str, Any]) -> Brand:
    """Return the brand with these members. Raise ``ValidationFailed`` with all that is wrong."""
    try:
        brand = msgspec.convert(given, Brand)
    except msgspec.ValidationError as error:
        raise ValidationFailed([FieldError("invalid", str(error))]) from None
    errors = [
        *_colour("color", brand.color),
        *_colour("accent", brand.accent),
        *_address("reply_to", brand.reply_to),
        *_link("imprint_url", brand.imprint_url),
        *_link("privacy_url", brand.privacy_url),
    ]
    if not 1 <= brand.retention_days <= RETENTION_DAYS_MAX:
        detail = f"Give a number of days from 1 to {RETENTION_DAYS_MAX}."
        errors.append(FieldError("invalid", detail, "retention_days"))
    try:
        brand.logo = kept_picture(brand.logo)
    except Unfit as unfit:
        errors.append(FieldError(unfit.code, str(unfit), "logo"))
    if errors:
        raise ValidationFailed(errors)
    return brand


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21.

    Source: WCAG 2.2, "contrast ratio" and "relative luminance".
    """
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _colour(attr: str, value: str) -> list[FieldError]:
    if not COLOUR.fullmatch(value):
        return [FieldError("invalid", "Give a colour like #1f5c4d, in small letters.", attr)]
    if (found := contrast(value, _PAPER)) < LEAST_CONTRAST:
        detail = f"Its contrast on white is {found:.2f}, and {LEAST_CONTRAST} is needed."
        return [FieldError("contrast", detail, attr)]
    return []


def _address(attr: str, value: str) -> list[FieldError]:
    try:
        if value:
            validate_email(value)
    except ValidationError:
        return [FieldError("invalid", "Give a mail address.", attr)]
    return []


def _link(attr: str, value: str) -> list[FieldError]:
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if not value or (
        parts.scheme == "https"
        and parts.hostname
        and printable(value)
        and len(value) <= URL_MAX_LENGTH
    ):
        return []
    return [FieldError("invalid", "Give an address that begins with https://.", attr)]


def parse_company_name(text: str) -> str:
    """Return a company's name. Raise ``ValidationFailed``."""
    name = " ".join(text.split())
    if not name or len(name) > NAME_MAX_LENGTH or not printable(name):
        detail = f"Give a name of up to {NAME_MAX_LENGTH} characters."
        raise ValidationFailed([FieldError("invalid", detail, "name")])
    return name
