"""The reference that a bank transfer names: a creditor reference (ISO 11649) of the invoice."""

import re

from stdnum import iso11649

_LONGEST = 21
_OTHER = re.compile("[^A-Z0-9]")


def reference_of(label: str) -> str:
    """Return the creditor reference of an invoice's number, such as ``RF19INV2026000123``.

    Paper, pages and bank receipts all have this one. Raise ``ValueError`` for a number that is too
    long.
    """
    own = _OTHER.sub("", label.upper())
    if not 0 < len(own) <= _LONGEST:
        raise ValueError("A creditor reference has 1 to 21 letters and digits.")
    digits = "".join(str(int(sign, 36)) for sign in f"{own}RF00")
    reference = f"RF{98 - int(digits) % 97:02}{own}"
    return str(iso11649.validate(reference))
