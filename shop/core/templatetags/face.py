"""Tags of pages: icons, and times, amounts and numbers as the reader writes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from django import template
from django.template.context import Context
from django.template.loader_tags import BLOCK_CONTEXT_KEY
from django.templatetags.static import static
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localdate

from shop.core import money as amounts
from shop.core import times
from shop.core.countries import country_name
from shop.core.periods import periods

register = template.Library()


@register.simple_tag(takes_context=True)
def block_text(context: Context, name: str) -> str:
    """Return a block of the page once more, such as its title as the heading."""
    block = context.render_context[BLOCK_CONTEXT_KEY].get_block(name)
    return "" if block is None else str(block.render(context))


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """Return an icon of the sprite. It is decoration unless a label says what it means."""
    if not label:
        return _decoration(name)
    href = f"{static('icons.svg')}#{name}"
    return format_html(
        '<svg class="icon" role="img" aria-label="{}"><use href="{}"></use></svg>', label, href
    )


@lru_cache(maxsize=512)
def _decoration(name: str) -> SafeString:
    # A page has thirty of these.
    href = f"{static('icons.svg')}#{name}"
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>', href)


@register.simple_tag
def time(moment: datetime | str | None) -> SafeString | str:
    """Return a moment, also one in ISO 8601, in the reader's time zone."""
    if not moment:
        return "–"
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        times.iso(moment),
        times.full(moment),
        times.short(moment),
    )


@register.simple_tag
def day(value: date | str | None) -> SafeString | str:
    """Return a date, also one in ISO 8601, as the reader writes dates; a moment as a time."""
    if not value:
        return "–"
    if isinstance(value, str):
        if len(value) > len("2024-05-31"):
            return time(value)
        value = date.fromisoformat(value)
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), times.day(value))


@register.simple_tag
def money(amount: Any, currency: str) -> SafeString | str:
    """Return an amount and its currency; the machine reads the plain decimal.

    Decimals and what follows them have a width that the whole column shares.
    """
    if amount in (None, ""):
        return "–"
    plain = str(amount)
    whole, fraction, after = amounts.parts(plain, currency)
    decimals, sign = max(len(fraction) - 1, 0), len(after.strip())
    unit = format_html('<span class="s{}">{}</span>', sign, after) if after else ""
    # The style sheet makes them smaller where they stand as a figure.
    length = len(whole + fraction + after)
    size = " longer" if length > 16 else " long" if length > 13 else ""
    return format_html(
        '<data class="money{}" value="{}">{}<span class="d{}">{}</span>{}</data>',
        *(size, plain, whole, decimals, fraction, unit),
    )


@register.simple_tag
def country(code: str) -> str:
    """Return what a country is called in the reader's language."""
    return country_name(code)


@register.simple_tag
def number(value: Any) -> SafeString | str:
    """Return a number with the reader's separators."""
    if value in (None, ""):
        return "–"
    return format_html('<data class="number" value="{}">{}</data>', value, amounts.number(value))


@dataclass(frozen=True, slots=True)
class Preset:
    """A link to a list of one period; ``since`` and ``until`` are dates as in its address."""

    label: str | Promise
    since: str
    until: str
    url: str
    is_current: bool


@register.simple_tag
def date_presets(
    since: str | None, until: str | None, since_name: str, until_name: str, query: str | None = ""
) -> list[Preset]:
    """Return links to the usual periods, which keep the other parameters of the address."""
    presets = []
    for period in periods(localdate()):
        first, last = period.since.isoformat(), period.until.isoformat()
        dates = urlencode({since_name: first, until_name: last})
        url = f"?{query}&{dates}" if query else f"?{dates}"
        is_current = (str(since), str(until)) == (first, last)
        presets.append(Preset(period.label, first, last, url, is_current))
    return presets


@register.filter
def quick_links(groups: Sequence[Any]) -> list[Any]:
    """Return the first links of a navigation, as many as a small screen has room for."""
    return [link for group in groups for link in group.links][:4]


@register.filter
def get(collection: Mapping[Any, Any] | Sequence[Any] | None, key: Any) -> Any:
    """Return what a mapping has for a key, or a sequence at a place, or ``""``."""
    try:
        return collection[key] if collection else ""
    except (KeyError, IndexError):
        return ""
