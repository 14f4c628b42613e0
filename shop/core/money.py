"""Amounts of money as people write them, and as pages show them."""

import re

# The currencies of ISO 4217 that have no smaller unit.
WITHOUT_CENTS = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI"),
        *("VND", "VUV", "XAF", "XOF", "XPF"),
    }
)
# What people write for a currency. If several fit, the first is meant unless something else
# decides.
SYMBOLS = {
    "€": ("EUR",),
    "£": ("GBP",),
    "$": ["USD", "AUD", "CAD", "HKD", "MXN", "NZD", "SGD"],
    "¥": ("JPY", "CNY"),
    "₹": ("INR",),
    "₩": ("KRW",),
    "₺": ("TRY",),
    "₴": ("UAH",),
    "₽": ("RUB",),
    "₪": ("ILS",),
    "₫": ("VND",),
    "₦": ("NGN",),
    "₱": ("PHP",),
    "฿": ("THB",),
    "zł": ("PLN",),
}
# Spaces and apostrophes that can only separate thousands; each is replaced by one of them.
_SPACES = str.maketrans({"\xa0": " ", "\u202f": " ", "\u2009": " ", "’": "'"})
_NAME = "|".join([*map(re.escape, SYMBOLS), "[A-Za-z]{3}"])
_AMOUNT = re.compile(
    rf"(?P<before>{_NAME})? ?(?P<number>[+-]?[0-9](?:[0-9.,' ]{{0,38}}[0-9])?) ?(?P<after>{_NAME})?"
)


def shown(amount: str, currency: str) -> str:
    """Return an amount such as ``1195.00`` as pages show it; for JPY and its like ``1195``."""
    return amount.removesuffix(".00") if currency in WITHOUT_CENTS else amount


def labelled(amount: str, currency: str) -> str:
    """Return an amount such as ``1195.00`` with its currency, as pages show it."""
    return f"{shown(amount, currency)} {currency}"


def plain_number(text: str, decimal: str, thousands: str) -> str:
    """Return the number in plain digits with a point, as ``1195.30``.

    ``decimal`` stands before the decimals. ``thousands`` stands between groups of three digits and
    may be empty. Raise ``ValueError`` for a number that is written otherwise.
    """
    text = text.translate(_SPACES)
    whole = "[0-9]+"
    if thousands:
        whole = rf"(?:[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|[0-9]+)"
    match = re.fullmatch(rf"([+-]?)({whole})(?:{re.escape(decimal)}([0-9]+))?", text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a number written like {_like(decimal, thousands)}.")
    sign, number, decimals = match.groups()
    if thousands:
        number = number.replace(thousands, "")
    return f"{sign}{number}" + (f".{decimals}" if decimals else "")


def _like(decimal: str, thousands: str) -> str:
    return f"1{thousands}195{decimal}30"


def typed_amount(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a typed amount in plain digits, and the currencies that it may be in.

    ``12,50``, ``1.195,30``, ``1,195.30``, ``€ 12`` and ``12 eur`` are understood. Without a
    currency the second part is empty. Raise ``ValueError`` for a text that could mean two amounts.
    """
    match = _AMOUNT.fullmatch(text.strip().translate(_SPACES))
    if match is None or (match["before"] and match["after"]):
        raise ValueError("Write the price in digits, such as 1195.30 or 1.195,30.")
    name = match["before"] or match["after"]
    number = match["number"]
    separators = [sign for sign in number if sign in ".,' "]
    decimal, thousands = ".", ""
    if separators:
        last = separators[-1]
        once = separators.count(last) == 1
        if once and last in ".,":
            if len(separators) == 1 and re.search(r"[1-9].{0,2}[.,][0-9]{3}\Z", number):
                plain = number.replace(last, "")
                detail = f"This could mean {plain} or {plain[:-3]}.{plain[-3:]}."
                raise ValueError(f"{detail} Write it without a sign between thousands.")
            decimal = last
            thousands = separators[0] if len(separators) > 1 else ""
        else:
            # A repeated sign, a space or an apostrophe separates thousands.
            thousands = last
    currencies: tuple[str, ...] = ()
    if name:
        currencies = tuple(SYMBOLS.get(name) or (name.upper(),))
    return plain_number(number, decimal, thousands), currencies
