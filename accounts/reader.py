"""The reader of a page: the language and the time zone that it is written in.

Both are those of the account, else those of two cookies, else those that the browser says. The API
and the classic routes are for programs: they stay in English and in UTC.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from shop.core.errors import error_shape
from shop.core.outages import is_outage
from shop.core.site_settings.general import site_zone

COOKIES = {"language": "shop_language", "time_zone": "shop_time_zone", "theme": "shop_theme"}
THEMES = ("light", "dark")
_AREAS = (
    *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe"),
    *("Indian", "Pacific"),
)


@dataclass(frozen=True, slots=True)
class Reader:
    """What a page is written in."""

    language: str
    zone: ZoneInfo


def languages() -> dict[str, str]:
    """Return the names of the site's languages, each in itself, by code."""
    return dict(settings.LANGUAGES)


@cache
def zone_names() -> tuple[str, ...]:
    """Return the names of all time zones that are places, and UTC."""
    return "UTC", *sorted(
        name for name in available_timezones() if name.partition("/")[0] in _AREAS
    )


@cache
def _zones() -> dict[str, str]:
    """Return the names of the zones by what people type: whole names, and places alone."""
    names = {name.lower(): name for name in available_timezones() if name[:1].isupper()}
    places: dict[str, str] = {}
    for name in zone_names():
        place = name.rpartition("/")[2].lower()
        places[place] = name if place not in places else ""
    return {place: name for place, name in places.items() if name} | names


def find_zone(text: str) -> ZoneInfo | None:
    """Return the zone of a name such as ``Europe/Berlin`` or ``new york``, or ``None``."""
    name = _zones().get(text.strip().replace(" ", "_").lower()) if len(text) < 100 else None
    return ZoneInfo(name) if name else None


def reader_of(request: HttpRequest) -> Reader:
    """Return the reader of a request."""
    try:
        user: Any = request.user
        language, zone = getattr(user, "language", ""), getattr(user, "time_zone", "")
    except Exception as error:
        if not is_outage(error):
            raise
        # The page that tells of the outage is written in what the cookies say.
        language = zone = ""
    if language not in languages():
        language = translation.get_language_from_request(request)
    zone = zone or request.COOKIES.get(COOKIES["time_zone"], "")
    return Reader(language, (zone and find_zone(zone)) or site_zone())


@contextmanager
def written_for(user: Any) -> Iterator[None]:
    """Write what follows, such as a mail, in the language and the zone that an account has chosen.

    An account that has chosen none, and somebody without an account, is written to in the present
    language: that of the request, or of the site.
    """
    language = getattr(user, "language", "")
    if language not in languages():
        language = translation.get_language() or settings.LANGUAGE_CODE
    zone = find_zone(getattr(user, "time_zone", ""))
    with translation.override(language), timezone.override(zone or _present_zone()):
        yield


def _present_zone() -> tzinfo:
    """Return the zone of the present reader, or that of the site where nobody reads."""
    zone = timezone.get_current_timezone()
    return site_zone() if zone == timezone.get_default_timezone() else zone


class ReaderMiddleware:
    """Writes each page in the language and the time zone of its reader."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse
        if error_shape(request.path) is not None:
            response = self.get_response(request)
            return response
        reader = reader_of(request)
        with translation.override(reader.language), timezone.override(reader.zone):
            response = self.get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Content-Language", reader.language)
            patch_vary_headers(response, ("Accept-Language", "Cookie"))
        return response
