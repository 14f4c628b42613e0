"""Whether billing is used here: a shop that never bills sees none of it."""

import time
from typing import Any

from django.conf import settings
from django.db import connection

from accounts.permissions import Permission as P
from accounts.permissions import allows
from shop.core.outages import is_outage

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
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM billing_document)")
            _asked[cursor.fetchone()[0]] = time.monotonic()
    return True in _asked


def forget() -> None:
    """Forget what was asked, for tests."""
    _asked.clear()


def is_manager(user: Any) -> bool:
    """Return whether the user sees everybody's invoices."""
    return bool(user.is_authenticated and allows(user.permissions, P.BILLING_READ_ALL))


def is_billed(user: Any) -> bool:
    """Return whether the user may have invoices, once the shop has issued one.

    A page is worth more than this entry of its navigation, so an outage gives ``False``.
    """
    if (
        not user.is_authenticated
        or is_manager(user)
        or not allows(user.permissions, P.BILLING_READ)
    ):
        return False
    try:
        return has_issued()
    except Exception as error:
        if not is_outage(error):
            raise
        return False
