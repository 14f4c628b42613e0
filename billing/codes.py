"""QR codes as SVG: one that a bank's app pays from, and one that leads to a page."""

import io
from decimal import Decimal

import segno
from segno.helpers import make_epc_qr

NAME_MAX_LENGTH = 70
AMOUNTS = (Decimal("0.01"), Decimal("999999999.99"))
"""The least and the largest amount of a code (EPC069-12)."""
_MASK = 3


def transfer_code(
    *,
    name: str,
    iban: str,
    bic: str,
    amount: Decimal,
    currency: str,
    reference: str,
    framed: bool = False,
) -> str:
    """Return the EPC QR code of a transfer, or nothing where there can be none: it is for euros.

    A ``framed`` code brings its own white border, for pages that may be dark.
    """
    least, largest = AMOUNTS
    if currency != "EUR" or not (iban and name and least <= amount <= largest):
        return ""
    code = make_epc_qr(
        name=name[:NAME_MAX_LENGTH],
        iban=iban.replace(" ", ""),
        bic=bic.replace(" ", "") or None,
        amount=amount,
        reference=reference,
    )
    return _framed(code) if framed else _svg(code)


def page_code(url: str) -> str:
    """Return the QR code of an address."""
    # To look for the best of the eight masks would take as long as the rest of the paper.
    return _svg(segno.make_qr(url, error="m", mask=_MASK))


def _svg(code: segno.QRCode) -> str:
    width, height = code.symbol_size(border=0)
    # The path alone has a size in modules, which the viewer scales.
    return code.svg_inline(border=0, omitsize=True).replace(
        "<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" ', 1
    )


def _framed(code: segno.QRCode) -> str:
    written = io.BytesIO()
    code.save(written, kind="svg", xmldecl=False, svgns=True, omitsize=True, border=4, light="#fff")
    return written.getvalue().decode()
