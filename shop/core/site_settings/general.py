"""The settings of the shop as a whole, which every app reads."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from shop.core.site_settings.kinds import Boolean, Choice, Setting, Text, Unfit
from shop.core.site_settings.logo import Logo, file_of


@cache
def _zones() -> frozenset[str]:
    # Names such as `posixrules` and `localtime` differ between machines.
    return frozenset(name for name in available_timezones() if name[:1].isupper())


def _zone(text: str) -> str:
    if text not in _zones():
        raise Unfit("invalid", gettext_noop("Give a time zone, such as Europe/Berlin."))
    return text


@cache
def _currencies() -> frozenset[str]:
    import pycountry

    return frozenset(currency.alpha_3 for currency in pycountry.currencies)


def _currency(text: str) -> str:
    code = text.upper()
    if code not in _currencies():
        raise Unfit("invalid", gettext_noop("Give a currency of ISO 4217, such as EUR."))
    return code


def _web_address(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        raise Unfit("invalid", gettext_noop("Give an address with https:// or http://."))
    return text


SITE_NAME = Text(
    "site_name",
    "Scalable Shop",
    section="shop",
    label=_("Name"),
    help=_("In pages, mails and statements."),
    minimum=1,
    maximum=200,
)
LOGO = Logo(
    "logo",
    "",
    section="shop",
    label=_("Logo"),
    help=_(
        "Beside the name on every page, statement and invoice. A PNG, JPEG or WebP of up to 64 KiB."
    ),
    variable="",
)
SOURCE_URL = Text(
    "source_url",
    "",
    section="shop",
    label=_("Source code"),
    help=_("Where the source code of this site is; the welcome page links to it."),
    normal=_web_address,
    maximum=500,
)
TIME_ZONE = Text(
    "time_zone",
    "UTC",
    section="shop",
    label=_("Time zone"),
    help=_("The shop's days, and the times of readers who have chosen no zone."),
    minimum=1,
    normal=_zone,
    type="time_zone",
)
DEFAULT_CURRENCY = Text(
    "default_currency",
    "EUR",
    section="shop",
    label=_("Default currency"),
    help=_("The currency of a purchase that names none (ISO 4217)."),
    minimum=3,
    maximum=3,
    normal=_currency,
    type="currency",
)
SITE_THEME = Choice(
    "site_theme",
    "auto",
    section="shop",
    label=_("Theme"),
    help=_("For readers who have chosen none."),
    choices={"auto": _("As their device"), "light": _("Light"), "dark": _("Dark")},
)
ACCENT = Choice(
    "site_accent",
    "green",
    section="shop",
    label=_("Colour"),
    help=_("The colour of links and buttons."),
    choices={
        "green": _("Green"),
        "blue": _("Blue"),
        "violet": _("Violet"),
        "red": _("Red"),
        "brown": _("Brown"),
    },
)
READ_ONLY = Boolean(
    "read_only",
    False,
    section="operation",
    label=_("Read-only"),
    help=_(
        "Nothing can be bought or changed, as during maintenance. Reading, signing in and these"
        " settings go on."
    ),
)

_LEVELS: Mapping[str, str | Promise] = {
    "DEBUG": "DEBUG",
    "INFO": "INFO",
    "WARNING": "WARNING",
    "ERROR": "ERROR",
}
LOG_LEVEL = Choice(
    "log_level",
    "INFO",
    section="logs",
    label=_("Level"),
    help=_("What is logged by the parts that have no level of their own."),
    choices=_LEVELS,
)
PARTS = ("web", "live", "relay", "worker", "beat", "follower")
LOG_LEVELS = {
    part: Choice(
        f"log_level_{part}",
        "",
        section="logs",
        label=format_lazy(_("Level of {part}"), part=part),
        choices={"": _("As all parts"), **_LEVELS},
    )
    for part in PARTS
}

SETTINGS: tuple[Setting[str] | Setting[bool], ...] = (
    SITE_NAME,
    LOGO,
    SOURCE_URL,
    TIME_ZONE,
    DEFAULT_CURRENCY,
    SITE_THEME,
    ACCENT,
    READ_ONLY,
    LOG_LEVEL,
    *LOG_LEVELS.values(),
)


def site_zone() -> ZoneInfo:
    """Return the shop's time zone."""
    return ZoneInfo(TIME_ZONE.value)


def site_today() -> date:
    """Return the present day in the shop's time zone."""
    return datetime.now(site_zone()).date()


def logo_file() -> bytes:
    """Return the PNG of the shop's logo; empty for none."""
    return file_of(LOGO.value) if LOGO.value else b""
