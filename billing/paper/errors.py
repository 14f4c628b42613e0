"""Why a document has no file, or is not mailed."""

from collections.abc import Mapping

from django.utils.translation import gettext_noop

from shop.core.errors import ApplicationError, Conflict, FieldError


class NotAnEInvoice(Conflict):
    """The document lacks business terms of EN 16931; ``errors`` names each by its number."""

    code = "not_an_einvoice"

    def __init__(self, missing: Mapping[str, str], names: str) -> None:
        super().__init__(f"This document is no e-invoice, because it lacks {names}.")
        self.errors += [
            FieldError(self.code, f"{term} is missing: {words}.", term)
            for term, words in missing.items()
        ]


class EmailNotVerified(Conflict):
    """The customer has no address that a mail could go to."""

    code = "email_not_verified"
    detail = gettext_noop("The customer has no verified e-mail address.")


class PartyErased(ApplicationError):
    """The customer's name and address were erased after their time, so nothing is rendered."""

    status = 410
    code = "gone"
    detail = gettext_noop("The customer's name and address are erased, so there is no file.")
