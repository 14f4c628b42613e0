"""What pages say of a state: its word, and the tone and the icon of its badge."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

Word = tuple[str | Promise, str, str]

DRAFT: Word = (_("Draft"), "", "pencil")
OVERDUE: Word = (_("Overdue"), "bad", "clock")
STATUSES: dict[str, Word] = {
    "open": (pgettext_lazy("invoice", "Open"), "warn", "clock"),
    "partially_paid": (_("Partly paid"), "warn", "hourglass"),
    "paid": (_("Paid"), "good", "circle-check"),
    "void": (_("Void"), "", "ban"),
}
"""The states of an invoice."""
FLAGS: dict[str, tuple[Word, str | Promise]] = {
    "disputed": (
        (_("Disputed"), "bad", "triangle-alert"),
        _("A payment is disputed. Nothing of it can be refunded until there is a verdict."),
    ),
    "refund_failed": (
        (_("Refund failed"), "bad", "circle-alert"),
        _("A refund failed, so the money is still with the shop."),
    ),
    "refund_unknown": (
        (_("Refund unknown"), "bad", "circle-question-mark"),
        _("Nobody knows yet whether a refund was paid. The shop keeps asking the provider."),
    ),
    "excess": (
        (_("More went back than came"), "bad", "circle-alert"),
        _("More of a payment went back than came in. Look at the provider's own records."),
    ),
    "overpaid": (
        (_("Paid too much"), "warn", "coins"),
        _("More was paid than is owed. Refund it, or leave it."),
    ),
}
"""What needs attention about an invoice: its badge, and what it means."""
PAYMENTS: dict[str, Word] = {
    "pending": (_("Awaited"), "", "hourglass"),
    "succeeded": (_("Received"), "good", "circle-check"),
    "failed": (_("Failed"), "bad", "circle-alert"),
    "canceled": (_("Canceled"), "", "ban"),
}
REFUNDS: dict[str, Word] = {
    "requested": (_("Asked for"), "", "hourglass"),
    "submitted": (_("Under way"), "", "send"),
    "succeeded": (_("Paid back"), "good", "circle-check"),
    "failed": (_("Failed"), "bad", "circle-alert"),
    "unknown": (_("Outcome unknown"), "bad", "circle-question-mark"),
}
DISPUTES: dict[str, Word] = {
    "inquiry": (_("Inquiry"), "", "info"),
    "opened": (pgettext_lazy("dispute", "Open"), "bad", "triangle-alert"),
    "won": (_("Won"), "good", "circle-check"),
    "lost": (_("Lost"), "", "circle-x"),
}
PROVIDERS: dict[str, str | Promise] = {
    "bank": _("Bank transfer"),
    "cash": _("Cash"),
    "stripe": _("Card (Stripe)"),
    "test": _("Test payment"),
}
ENTRIES: dict[str, Word] = {
    "issued": (_("Issued"), "", "receipt-text"),
    "credited": (_("Credited"), "", "undo-2"),
    "paid": (_("Payment received"), "good", "banknote"),
    "payment_reversed": (_("Payment taken back"), "bad", "undo-2"),
    "refunded": (_("Refund"), "", "hand-coins"),
    "refund_reversed": (_("Refund did not happen"), "", "undo-2"),
    "charged_back": (_("Payment disputed"), "bad", "triangle-alert"),
    "chargeback_reversed": (_("Dispute won"), "good", "circle-check"),
}
"""The movements of an invoice's balance."""
CATEGORIES: dict[str, str | Promise] = {
    "S": _("Standard or reduced rate"),
    "Z": _("Zero rate"),
    "E": _("Exempt"),
    "AE": _("Reverse charge"),
    "K": _("Supply within the EU"),
    "G": _("Export outside the EU"),
    "O": _("Not subject to tax"),
    "L": _("Canary Islands (IGIC)"),
    "M": _("Ceuta and Melilla (IPSI)"),
}
"""The categories of UNTDID 5305 that EN 16931 has."""
