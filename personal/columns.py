"""What this app's own tables hold."""

from django.utils.translation import gettext_lazy as _

from shop.core.columns import Table, nobody, personal, plain, secret

TABLES = (
    Table(
        "personal_erasure",
        _("That you asked to be erased, and when it was done."),
        plain("id account_id requested_by_id requested_at due_at cancelled_at erased_at done_at"),
        plain("attempts next_attempt_at"),
        personal("reason", erased="''"),
        secret("work", erased="''"),
        about="t.account_id = %(account)s",
        section="erasures",
    ),
    Table(
        "personal_hold",
        _("That your data must not be erased for now, because the law asks for them."),
        plain("account_id placed_by_id placed_at"),
        personal("reason"),
        about="t.account_id = %(account)s",
        section="holds",
        deletes=True,
    ),
    # Digests of the names of nobody any more.
    nobody("personal_tombstone", "until", hidden="digest"),
    nobody("personal_pepper", "id", hidden="sealed"),
)
