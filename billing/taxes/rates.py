"""Which tax each item has on the day it was supplied."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from django.utils import timezone

from billing.taxes.models import ItemTax, TaxRate
from shop.core.site_settings.general import site_zone

STANDARD = "standard"
"""The code of all items that have none of their own."""


class Applied(NamedTuple):
    """The category and the rate of one supply; ``exemption`` says why it is not taxed."""

    category: str
    rate: Decimal
    exemption: str = ""


UNTAXED = Applied("O", Decimal("0.00"))
"""What a shop without a rate for the day has: not subject to tax."""


def day_of_supply(moment: datetime) -> date:
    """Return the day of a moment in the site's time zone, by which rates are chosen."""
    return timezone.localtime(moment, site_zone()).date()


class Rates:
    """All rates by code, and the codes of some items. Two queries, however many days are asked."""

    def __init__(self, items: Iterable[str]) -> None:
        self._from: dict[str, list[date]] = {}
        self._rates: dict[str, list[Applied]] = {}
        rates = list(TaxRate.objects.order_by("valid_from"))
        for rate in rates:
            self._from.setdefault(rate.code, []).append(rate.valid_from)
            applied = Applied(rate.category, rate.rate, rate.exemption)
            self._rates.setdefault(rate.code, []).append(applied)
        self._codes: dict[str, str] = {}
        if rates:
            self._codes = dict(
                ItemTax.objects.filter(item__in=set(items)).values_list("item", "code")
            )
        self.default = default_code(rates)

    def of(self, item: str, day: date) -> Applied:
        """Return the tax of an item on a day."""
        code = self._codes.get(item, self.default)
        index = bisect_right(self._from.get(code, []), day)
        return self._rates[code][index - 1] if index else UNTAXED


def default_code(rates: Iterable[TaxRate]) -> str:
    """Return ``standard`` if there is such a code, else the one made first, else nothing."""
    by_age = sorted(rates, key=lambda rate: rate.pk)
    if any(rate.code == STANDARD for rate in by_age):
        return STANDARD
    return by_age[0].code if by_age else ""


def rates_for(supplies: Iterable[tuple[str, date]]) -> list[Applied]:
    """Return the tax of each supply, an item and its day (``day_of_supply``), in their order."""
    supplies = list(supplies)
    rates = Rates(item for item, _day in supplies)
    return [rates.of(item, day) for item, day in supplies]
