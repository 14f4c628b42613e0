"""How the outside world names a document: the reference of a transfer, and the page of a check."""

import re
from urllib.parse import urlencode

from stdnum import iso11649

_LONGEST = 21
_OTHER = re.compile("[^A-Z0-9]")


def reference_of(label: str) -> str:
    """Return an invoice's creditor reference (ISO 11649), such as ``RF19INV2026000123``.

    Paper, pages and bank receipts all have this one. Raise ``ValueError`` for a number that is too
    long.
    """
    own = _OTHER.sub("", label.upper())
    if not 0 < len(own) <= _LONGEST:
        raise ValueError("A creditor reference has 1 to 21 letters and digits.")
    digits = "".join(str(int(sign, 36)) for sign in f"{own}RF00")
    reference = f"RF{98 - int(digits) % 97:02}{own}"
    return str(iso11649.validate(reference))


def check_path(label: str, hash_: str) -> str:
    """Return the path of the page that says whether a document is genuine; ``hash_`` is in hex."""
    return f"/billing/verify/?{urlencode({'number': label, 'hash': hash_})}"
