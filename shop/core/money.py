"""Amounts of money as people write them, and as pages show them.

``static/js/money.js`` and ``amounts.js`` do the same in the browser. ``shop/tests/amounts.json``
has cases of both.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from babel import Locale
from babel.numbers import get_currency_symbol
from django.utils.translation import get_language
from django.utils.translation import gettext as _

# The currencies of ISO 4217 that have no smaller unit, and those whose unit has more decimals.
WITHOUT_CENTS = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI"),
        *("VND", "VUV", "XAF", "XOF", "XPF"),
    }
)
MORE_DECIMALS = {
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
# What people and pages write for a currency. If several fit, the first is meant unless something
# else decides.
SYMBOLS = {
    "€": ["EUR"],
    "£": ["GBP"],
    "$": ["USD", "AUD", "CAD", "HKD", "MXN", "NZD", "SGD"],
    "US$": ["USD"],
    "A$": ["AUD"],
    "AU$": ["AUD"],
    "CA$": ["CAD"],
    "HK$": ["HKD"],
    "MX$": ["MXN"],
    "NZ$": ["NZD"],
    "NT$": ["TWD"],
    "EC$": ["XCD"],
    "R$": ["BRL"],
    "¥": ["JPY", "CNY"],
    "CN¥": ["CNY"],
    "₹": ["INR"],
    "₩": ["KRW"],
    "₺": ["TRY"],
    "₴": ["UAH"],
    "₽": ["RUB"],
    "₪": ["ILS"],
    "₫": ["VND"],
    "₦": ["NGN"],
    "₱": ["PHP"],
    "฿": ["THB"],
    "zł": ["PLN"],
    "FCFA": ["XAF"],
    "F CFA": ["XOF"],
    "CFPF": ["XPF"],
    "Cg.": ["XCG"],
}
# Spaces and apostrophes that can only separate thousands, and a minus sign; each is replaced by
# one of them.
_PLAIN = str.maketrans({"\xa0": " ", "\u202f": " ", "\u2009": " ", "’": "'", "−": "-"})
_NAME = "|".join([*map(re.escape, sorted(SYMBOLS, key=len, reverse=True)), "[A-Za-z]{3}"])
# "12,-" and "12.–" mean that there are no cents.
_AMOUNT = re.compile(
    rf"(?P<sign>[+-])? ?(?P<before>{_NAME})? ?(?P<sign2>[+-])?"
    r"(?P<number>[0-9](?:[0-9.,' ]{0,38}[0-9])?|[.,][0-9]{1,2})(?:[.,][-–—]{1,2})?"
    rf" ?(?P<after>{_NAME})?"
)
_NBSP = "\xa0"


def decimals_of(currency: str) -> int:
    """Return how many decimals amounts of a currency have, by ISO 4217."""
    return 0 if currency in WITHOUT_CENTS else MORE_DECIMALS.get(currency, 2)


def bare(amount: str, currency: str) -> str:
    """Return an amount such as ``1195.00`` in plain digits; for JPY and its like ``1195``."""
    return amount.removesuffix(".00") if currency in WITHOUT_CENTS else amount


def decimal_mark() -> str:
    """Return what the reader's language writes before the decimals of a number."""
    return _style(get_language() or "en", "").decimal


class _Style(NamedTuple):
    """What stands around and inside the amounts of one currency in one language."""

    before: str
    after: str
    thousands: str
    decimal: str


@lru_cache(maxsize=1024)
def _style(language: str, currency: str) -> _Style:
    locale = Locale.parse(language, sep="-")
    symbols = locale.number_symbols["latn"]
    if not currency:
        return _Style("", "", symbols["group"], symbols["decimal"])
    pattern = locale.currency_formats["standard"]
    symbol = get_currency_symbol(currency, locale=locale)
    # XXX, no currency, has a sign that nobody knows.
    symbol = currency if symbol == "¤" else symbol
    before, after = (part.replace("¤", symbol) for part in (pattern.prefix[0], pattern.suffix[0]))
    # CLDR: a blank stands between letters and digits.
    if before[-1:].isalpha():
        before += _NBSP
    return _Style(before, after, symbols["group"], symbols["decimal"])


class Parts(NamedTuple):
    """An amount as it is written: ``$1,195`` and ``.30``, or ``1.195``, ``,30`` and `` €``."""

    whole: str
    fraction: str
    after: str


def _written(plain: str, style: _Style, decimals: int) -> str:
    return "".join(_parts(plain, style, decimals))


def _parts(plain: str, style: _Style, decimals: int) -> Parts:
    sign = "-" if plain.startswith("-") else ""
    whole, _point, fraction = plain.lstrip("+-").partition(".")
    fraction = fraction.rstrip("0").ljust(decimals, "0")
    text = f"{int(whole):,}".replace(",", style.thousands)
    return Parts(
        f"{sign}{style.before}{text}", style.decimal + fraction if fraction else "", style.after
    )


def shown(amount: str | Decimal, currency: str) -> str:
    """Return an amount such as ``1195.3`` with its currency, as the reader's language writes it.

    It has the decimals of its currency, and more where it is more exact: nothing is rounded.
    """
    return "".join(parts(amount, currency))


def parts(amount: str | Decimal, currency: str) -> Parts:
    """Return what :func:`shown` does in parts, so that a column can align them."""
    plain = amount if isinstance(amount, str) else format(amount, "f")
    return _parts(plain, _style(get_language() or "en", currency), decimals_of(currency))


def figures(amount: Decimal, currency: str) -> str:
    """Return an amount as :func:`shown` does, without the name of its currency."""
    return _written(format(amount, "f"), _style(get_language() or "en", ""), decimals_of(currency))


def number(value: str | int | Decimal) -> str:
    """Return a number as the reader's language writes it: ``1,195.3``, ``1.195,3``."""
    plain = format(value, "f") if isinstance(value, Decimal) else str(value)
    return _written(plain, _style(get_language() or "en", ""), 0)


def plain_number(text: str, decimal: str, thousands: str) -> str:
    """Return the number in plain digits with a point, as ``1195.30``.

    ``decimal`` stands before the decimals. ``thousands`` stands between groups of three digits and
    may be empty. Raise ``ValueError`` for a number that is written otherwise.
    """
    text = text.translate(_PLAIN)
    whole = "[0-9]+"
    if thousands:
        whole = rf"(?:[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|[0-9]+)"
    match = re.fullmatch(rf"([+-]?)({whole})(?:{re.escape(decimal)}([0-9]+))?", text)
    if match is None:
        raise ValueError(
            _("%(text)s is not a number written like %(example)s.")
            % {"text": repr(text[:40]), "example": f"1{thousands}195{decimal}30"}
        )
    sign, number, decimals = match.groups()
    if thousands:
        number = number.replace(thousands, "")
    return f"{sign}{number}" + (f".{decimals}" if decimals else "")


def typed_amount(text: str, currency: str = "") -> tuple[str, tuple[str, ...]]:
    """Return a typed amount in plain digits, and the currencies that it may be in.

    ``12,50``, ``1.195,30``, ``1,195.30``, ``€ 12`` and ``12 eur`` are understood, and whatever
    ``shown`` writes. Without a currency in the text the second part is empty. ``currency`` is the
    one that the form says beside the amount. Raise ``ValueError`` with a sentence for the reader,
    for a text that could mean two amounts or none.
    """
    match = _AMOUNT.fullmatch(text.strip().translate(_PLAIN))
    if match is None or (match["before"] and match["after"]) or (match["sign"] and match["sign2"]):
        raise ValueError(_("Write the price in digits, such as 1195.30 or 1.195,30."))
    name = match["before"] or match["after"]
    number = match["number"]
    currencies: tuple[str, ...] = ()
    if name:
        currencies = tuple(SYMBOLS.get(name) or (name.upper(),))
    meant = currency.upper()
    if currencies and meant not in currencies:
        meant = currencies[0]
    if number[0] in ".,":
        number = f"0{number}"
    decimal, thousands = _separators(number, whole_only=meant in WITHOUT_CENTS)
    plain = plain_number(number, decimal, thousands)
    sign = match["sign"] or match["sign2"] or ""
    return sign.replace("+", "") + _two_decimals(plain), currencies


def _separators(number: str, *, whole_only: bool) -> tuple[str, str]:
    """Return the sign before the decimals, and the one between thousands."""
    separators = [sign for sign in number if sign in ".,' "]
    if not separators:
        return ".", ""
    last = separators[-1]
    if separators.count(last) > 1 or last not in ".,":
        # A repeated sign, a space or an apostrophe separates thousands.
        return ".", last
    if len(separators) == 1 and re.search(r"\A[1-9].{0,2}[.,][0-9]{3}\Z", number):
        if whole_only:
            return "." if last == "," else ",", last
        plain = number.replace(last, "")
        style = _style(get_language() or "en", "")
        raise ValueError(
            _("This could mean %(whole)s or %(decimals)s. Write %(plain)s if you mean the first.")
            % {
                "whole": _written(plain, style._replace(thousands=""), 2),
                "decimals": _written(f"{plain[:-3]}.{plain[-3:]}", style, 3),
                "plain": plain,
            }
        )
    return last, separators[0] if len(separators) > 1 else ""


def _two_decimals(plain: str) -> str:
    """Return the number without zeros beyond its second decimal, as three decimals may have."""
    whole, point, decimals = plain.partition(".")
    return whole + point + decimals[:2] + decimals[2:].rstrip("0")
