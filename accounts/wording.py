"""The permissions in words, for whoever gives them."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.permissions import Permission as P

PARTS: Mapping[str, str | Promise] = {
    "purchases": _("Purchases"),
    "reports": _("Reports"),
    "billing": _("Billing"),
    "quizzes": _("Quizzes"),
    "webhooks": _("Webhooks"),
    "insight": _("Figures"),
    "settings": _("Settings"),
    "logs": _("Logs"),
    "audit": _("Audit"),
    "accounts": _("People"),
}
WORDS: Mapping[P, str | Promise] = {
    P.PURCHASES_READ: _("See one's own purchases"),
    P.PURCHASES_WRITE: _("Buy for oneself"),
    P.PURCHASES_READ_ALL: _("See everybody's purchases"),
    P.PURCHASES_WRITE_ALL: _("Record purchases for anybody"),
    P.REPORTS_READ: _("Read one's own reports"),
    P.REPORTS_WRITE: _("Ask for one's own reports"),
    P.REPORTS_READ_ALL: _("Read everybody's reports"),
    P.REPORTS_WRITE_ALL: _("Ask for reports about everybody"),
    P.BILLING_READ: _("See one's own invoices"),
    P.BILLING_WRITE: _("Pay one's own invoices"),
    P.BILLING_READ_ALL: _("See everybody's invoices"),
    P.BILLING_WRITE_ALL: _("Issue, refund and credit invoices"),
    P.QUIZZES_READ: _("See one's own quizzes"),
    P.QUIZZES_WRITE: _("Write quizzes of one's own"),
    P.QUIZZES_READ_ALL: _("See everybody's quizzes and leads"),
    P.QUIZZES_WRITE_ALL: _("Write everybody's quizzes"),
    P.WEBHOOKS_READ: _("See one's own webhooks"),
    P.WEBHOOKS_WRITE: _("Make webhooks of one's own"),
    P.WEBHOOKS_READ_ALL: _("See everybody's webhooks"),
    P.WEBHOOKS_WRITE_ALL: _("Change everybody's webhooks"),
    P.INSIGHT_READ: _("See one's own figures"),
    P.INSIGHT_READ_ALL: _("See the figures of the shop"),
    P.SETTINGS_READ_ALL: _("See the settings"),
    P.SETTINGS_WRITE_ALL: _("Change the settings"),
    P.LOGS_READ_ALL: _("Read the logs"),
    P.AUDIT_READ_ALL: _("Read who changed what"),
    P.ACCOUNTS_READ_ALL: _("See all accounts and their addresses"),
    P.ACCOUNTS_ADMIN: _("Change accounts, roles and teams"),
}
