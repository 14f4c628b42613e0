"""What the tables of the audit hold. No entry names anybody; what does lies beside the chain."""

from django.utils.translation import gettext_lazy as _

from shop.core.columns import Table, nobody, plain, secret

_ENTRY = "id at action actor_id account_id object before after credential request_id commitment"
_ABOUT = "t.account_id = %(account)s OR t.actor_id = %(account)s"

TABLES = (
    Table(
        "audit_detail",
        _("Addresses and programs from which something was changed, and names that it is about."),
        plain("id account_id actor_id"),
        secret("sealed"),
        about=_ABOUT,
        deletes=True,
    ),
    Table(
        "audit_entry",
        _("What was changed by whom, so that nobody can change anything unnoticed."),
        plain(f"{_ENTRY} seq previous hash"),
        about=_ABOUT,
        section="audit",
    ),
    Table(
        "audit_waiting",
        _("What was just changed, until it has its place in the order."),
        plain(_ENTRY),
        about=_ABOUT,
        section="audit_without_place",
    ),
    nobody("audit_checkpoint", "id seq note created_at"),
)
