"""Variables of every template."""

from dataclasses import dataclass
from email.utils import parseaddr
from functools import lru_cache, partial
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from shop.core import texts
from shop.core.apps import GROUPS, NavigationEntry, navigation_for
from shop.core.site_settings.general import (
    ACCENT,
    LOGO,
    READ_ONLY,
    SITE_NAME,
    SITE_THEME,
    SOURCE_URL,
)

THEMES = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Link:
    """An entry of the navigation, as one page shows it."""

    label: str | Promise
    url: str
    icon: str
    count: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A heading of the navigation, and the links below it."""

    label: str | Promise
    links: list[Link]


def navigation_of(request: HttpRequest) -> list[Group]:
    """Return the navigation of the request's user. The entry nearest to its page is current."""
    user: Any = getattr(request, "user", None) or AnonymousUser()
    entries = [(entry, reverse(entry.route)) for entry in navigation_for(user)]
    current = _nearest(entries, request.path)

    def link(entry: NavigationEntry, url: str) -> Link:
        count = import_string(entry.count)(user) if entry.count else 0
        return Link(entry.label, url, entry.icon, count, url == current)

    groups = []
    for name, label in GROUPS.items():
        links = [link(entry, url) for entry, url in entries if entry.group == name]
        if links:
            groups.append(Group(label, links))
    return groups


def _nearest(entries: list[tuple[NavigationEntry, str]], path: str) -> str:
    """Return the address of the entry that the path is nearest to, or an empty string."""
    places = [(url, url) for _entry, url in entries]
    places += [(reverse(route), url) for entry, url in entries for route in entry.covers]
    above = [(len(place), url) for place, url in places if _is_below(path, place)]
    return max(above)[1] if above else ""


def _is_below(path: str, url: str) -> bool:
    return path == url or (url != "/" and path.startswith(url))


def theme_of(request: HttpRequest) -> str:
    """Return ``"light"``, ``"dark"``, or ``""`` for what the reader's machine prefers."""
    theme = getattr(getattr(request, "user", None), "theme", "") or ""
    theme = theme or request.COOKIES.get("shop_theme", "") or SITE_THEME.value
    return theme if theme in THEMES else ""


@lru_cache(maxsize=8)
def _file_of(route: str, content: str) -> str:
    """Return the address of a file whose content changes; its query changes with it."""
    return f"{reverse(route)}?{sha256(content.encode()).hexdigest()[:12]}"


def site(request: HttpRequest) -> dict[str, object]:
    """Return the shop's name and look, its source and mail address, whether it is a demo or
    read-only, navigation, theme, and the address of its scripts' texts."""
    return {
        "site_name": SITE_NAME.value,
        "logo": _file_of("site_logo", LOGO.value) if LOGO.value else "",
        "colours": "" if ACCENT.value == "green" else _file_of("site_colours", ACCENT.value),
        "read_only": READ_ONLY.value,
        "source_url": SOURCE_URL.value,
        "contact": parseaddr(settings.DEFAULT_FROM_EMAIL)[1],
        "development": settings.DEVELOPMENT,
        # Only templates call these, because most answers are no pages.
        "navigation": partial(navigation_of, request),
        "theme": partial(theme_of, request),
        "texts": texts.catalog_url,
    }
