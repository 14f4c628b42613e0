"""Whether billing is used here: a shop that never bills sees none of it."""

import time

from django.conf import settings

from billing.invoices.models import Document

_KEPT_SECONDS = 60.0
_asked: dict[bool, float] = {}


def has_issued() -> bool:
    """Return whether the shop has issued a document, as it was at most a minute ago."""
    if not settings.BILLING:
        return False
    # A document stays for ever, so a yes does, too.
    if True in _asked:
        return True
    if time.monotonic() - _asked.get(False, float("-inf")) > _KEPT_SECONDS:
        _asked[Document.objects.exists()] = time.monotonic()
    return True in _asked


def forget() -> None:
    """Forget what was asked, for tests."""
    _asked.clear()
