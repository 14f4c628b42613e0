"""Amounts as Stripe writes them: whole numbers of a currency's smallest unit, in its own table.

The table differs from ISO 4217 (docs.stripe.com/currencies): the ariary has no decimals, and the
Icelandic króna and the Ugandan shilling are sent with two that must be zero.
"""

from decimal import ROUND_HALF_UP, Decimal

ZERO = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV"),
        *("XAF", "XOF", "XPF"),
    }
)
WHOLE_ONLY = frozenset({"ISK", "UGX"})
THREE = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


def _decimals(currency: str) -> int:
    if currency in ZERO:
        return 0
    return 3 if currency in THREE else 2


def to_minor(amount: Decimal, currency: str) -> int:
    """Return an amount as Stripe wants it.

    Raise ``ValueError`` for an amount that Stripe does not take: a fraction of the smallest unit,
    of a króna or shilling, or of the hundredth of a currency with three decimals.
    """
    whole = currency in WHOLE_ONLY or currency in ZERO
    step = Decimal(1) if whole else Decimal("0.01")
    if amount != amount.quantize(step):
        raise ValueError(f"{amount} {currency} has a fraction that Stripe does not take.")
    return int(amount.scaleb(_decimals(currency)))


def from_minor(amount: int, currency: str) -> Decimal:
    """Return the amount that Stripe's number means, with two decimals."""
    exact = Decimal(amount).scaleb(-_decimals(currency))
    return exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
