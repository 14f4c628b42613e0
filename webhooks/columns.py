"""What the tables of webhooks hold."""

from django.utils.translation import gettext_lazy as _

from shop.core.columns import Table, personal, plain, secret

_MINE = "IN (SELECT id FROM webhooks_endpoint WHERE owner_id = %(account)s)"

TABLES = (
    Table(
        "webhooks_attempt",
        _("Each request to your webhooks, and how their receivers answered."),
        plain("id delivery_id at status milliseconds error"),
        personal("response_start"),
        about=f"t.delivery_id IN (SELECT id FROM webhooks_delivery WHERE endpoint_id {_MINE})",  # noqa: S608
        section="webhook_attempts",
        deletes=True,
    ),
    Table(
        "webhooks_delivery",
        _("What your webhooks were told, and what they are still to be told."),
        plain("id endpoint_id kind after until goal types events state attempts"),
        plain("created_at finished_at"),
        about=f"t.endpoint_id {_MINE}",
        section="webhook_deliveries",
        deletes=True,
    ),
    Table(
        "webhooks_endpoint",
        _("The addresses that you let the shop tell of events."),
        plain("id owner_id types everything batch state disabled_reason position"),
        plain("previous_until failing_since retry_at claim claimed_at created_at"),
        personal("url"),
        secret("secret previous_secret"),
        about="t.owner_id = %(account)s",
        section="webhooks",
        deletes=True,
    ),
)
