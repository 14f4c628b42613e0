"""What the search finds in billing: invoices and credit notes by number."""

import re

from django.utils.translation import gettext_lazy as _

from accounts.access import Caller
from accounts.permissions import Permission as P
from accounts.permissions import allows
from billing.invoices.models import LABEL_MAX_LENGTH, Document, Kind
from billing.pages.shown import url_of
from billing.presence import has_issued
from shop.core.money import shown
from shop.core.search import Hit
from shop.core.times import day

_NUMBER = re.compile(r"[A-Z]{2,}-[0-9][A-Z0-9-]*")
KINDS = {Kind.INVOICE.value: _("Invoice"), Kind.CREDIT_NOTE.value: _("Credit note")}


def find_documents(caller: Caller, text: str, limit: int) -> list[Hit]:
    """Return the documents whose number begins with the text, as the caller may see them."""
    number = text.upper()
    known = len(number) <= LABEL_MAX_LENGTH and _NUMBER.fullmatch(number)
    may = allows(caller.permissions, P.BILLING_READ)
    if not may or not known or not has_issued():
        return []
    documents = Document.objects.filter(label__startswith=number)
    if not allows(caller.permissions, P.BILLING_READ_ALL):
        documents = documents.filter(customer=caller.id)
    # Without an order, so that the index of numbers ends it after the first rows.
    found = documents.select_related("customer").defer("canonical").order_by()[:limit]
    return [_hit(each, number) for each in sorted(found, key=lambda document: document.label)]


def _hit(document: Document, number: str) -> Hit:
    parts = [
        shown(document.total, document.currency),
        f"\u2068{document.customer.username}\u2069",
        day(document.issued_on),
    ]
    return Hit(
        kind=KINDS[document.kind],
        label=document.label,
        detail=" · ".join(parts),
        url=url_of(document),
        exact=document.label == number,
    )
