"""Why an invoice is not drafted, changed or issued."""

from collections.abc import Iterable
from uuid import UUID

from django.utils.translation import gettext_noop

from shop.core.errors import Conflict, FieldError

NAMED_MAX = 100
"""Purchases that an error names."""


class NothingToInvoice(Conflict):
    """There is no purchase that is not on an invoice already."""

    code = "nothing_to_invoice"
    detail = gettext_noop("There is nothing to invoice.")


class TooManyLines(Conflict):
    """An invoice would have too many lines."""

    code = "too_many_lines"
    detail = gettext_noop("An invoice has at most 5000 lines. Choose an earlier end.")


class AlreadyInvoiced(Conflict):
    """Some of the purchases are on another invoice; each is named, up to a hundred."""

    code = "already_invoiced"

    def __init__(self, purchases: Iterable[UUID]) -> None:
        super().__init__()
        self.purchases = sorted(purchases)
        self.errors = [
            FieldError(self.code, f"The purchase {purchase} is on an invoice.", "purchases")
            for purchase in self.purchases[:NAMED_MAX]
        ]


class Issued(Conflict):
    """Only drafts are changed or deleted."""

    code = "issued"
    detail = gettext_noop("The invoice is issued, so nobody changes it. Correct it by a credit.")
