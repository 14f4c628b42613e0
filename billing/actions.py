"""What happens in billing, in words for the person concerned."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "invoice.drafted": _("An invoice was drafted."),
    "invoice.changed": _("The draft of an invoice was changed."),
    "invoice.discarded": _("The draft of an invoice was discarded."),
    "invoice.issued": _("An invoice was issued."),
    "invoice.voided": _("An invoice was voided."),
    "invoice.sent": _("An invoice was to be mailed."),
    "creditnote.issued": _("A credit note was issued."),
    "creditnote.sent": _("A credit note was to be mailed."),
    "run.requested": _("Invoices for all customers were asked for."),
    "payment.started": _("A payment was begun."),
    "payment.booked": _("A payment was booked."),
    "bankstatement.imported": _("A bank statement was imported."),
    "bankcredit.booked": _("Money of a bank statement was booked."),
    "bankcredit.setaside": _("Money of a bank statement was set aside."),
    "refund.requested": _("A refund was asked for."),
    "refund.failed": _("A refund did not arrive."),
    "chargeback.opened": _("A chargeback was booked."),
    "chargeback.won": _("A chargeback was won."),
    "chargeback.lost": _("A chargeback was lost."),
    "coupon.created": _("A coupon was made."),
    "coupon.changed": _("A coupon was changed."),
    "taxrate.created": _("A tax rate was made."),
    "taxrate.deleted": _("A tax rate was deleted."),
    "itemtax.changed": _("The tax code of an item was changed."),
    "profile.changed": _("The name or the address on invoices was changed."),
}
