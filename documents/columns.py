"""What the table of documents holds."""

from django.utils.translation import gettext_lazy as _

from shop.core.columns import Rows, Table, personal, plain, secret

TABLES = (
    Table(
        "reports_report",
        _("Statements, reports and exports that were made for you."),
        plain(
            "id kind since until status created_at claim claimed_at attempts mail_attempts"
            " next_attempt_at rendered_at emailed_at pages size sha256 requested_by_id removed_at"
        ),
        personal("error"),
        # They may name the customer that the document is about.
        personal("parameters idempotency_key", exported=False),
        secret("pdf"),
        about="t.requested_by_id = %(account)s",
        section="documents",
        deletes=True,
        also=[
            # Documents about the account that others asked for.
            Rows(
                about="t.parameters ->> 'customer' = %(account)s::text",
                erased={
                    "parameters": "t.parameters - 'username'"
                    " || jsonb_build_object('username', %(erased_name)s::text)",
                    "idempotency_key": "NULL",
                    "error": "''",
                },
            )
        ],
    ),
)
