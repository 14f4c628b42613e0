"""Why money is not taken, not sent back, or a verdict is not booked."""

from django.utils.translation import gettext_noop

from shop.core.errors import Conflict


class NothingDue(Conflict):
    """Nothing is owed on the invoice."""

    code = "nothing_due"
    detail = gettext_noop("Nothing is due on this invoice.")


class NotIssued(Conflict):
    """The invoice is a draft."""

    code = "not_issued"
    detail = gettext_noop("This invoice is not issued yet.")


class ReferenceUsed(Conflict):
    """The same reference was booked with other facts."""

    code = "reference_used"
    detail = gettext_noop("This reference was booked before, with another amount or day.")
    attr = "reference"


class ExceedsOverpaid(Conflict):
    """More than the shop holds too much: a credit note has to come first."""

    code = "exceeds_overpaid"
    detail = gettext_noop("Only what is overpaid can be refunded. Credit the goods first.")
    attr = "amount"


class ExceedsPayment(Conflict):
    """More than is left of the payment."""

    code = "exceeds_payment"
    detail = gettext_noop("This is more than is left of the payment.")
    attr = "amount"


class Disputed(Conflict):
    """The payment is in an open dispute."""

    code = "disputed"
    detail = gettext_noop("The payment is disputed. Wait for the verdict.")


class Closed(Conflict):
    """The chargeback has the other verdict."""

    code = "closed"
    detail = gettext_noop("The chargeback is closed with the other verdict.")


class ProviderDecides(Conflict):
    """The provider says what becomes of it."""

    code = "provider_decides"
    detail = gettext_noop("The payment provider decides this and tells the shop.")
