"""Tags of pages: icons, and times, amounts and numbers as the reader writes them."""

from datetime import date, datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import formats
from django.utils.html import format_html
from django.utils.safestring import SafeString

from shop.core import money as amounts
from shop.core import times

register = template.Library()


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """Return an icon of the sprite. It is decoration unless a label says what it means."""
    href = f"{static('icons.svg')}#{name}"
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}"></use></svg>', label, href
        )
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
    """Return a date, also one in ISO 8601, as the reader writes dates."""
    if not value:
        return "–"
    if isinstance(value, str):
        value = date.fromisoformat(value)
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), times.day(value))


@register.simple_tag
def money(amount: Any, currency: str) -> SafeString | str:
    """Return an amount and its currency; the machine reads the plain decimal."""
    if amount in (None, ""):
        return "–"
    plain = str(amount)
    return format_html(
        '<data class="money" value="{}">{}</data>', plain, amounts.labelled(plain, currency)
    )


@register.simple_tag
def number(value: Any) -> SafeString | str:
    """Return a number with the reader's separators."""
    if value in (None, ""):
        return "–"
    shown = formats.number_format(value, use_l10n=True, force_grouping=True)
    return format_html('<data class="number" value="{}">{}</data>', value, shown)
