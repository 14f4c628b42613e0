"""What the tables of the log hold. Types of events have no fields for names; see `events.types`."""

from django.utils.translation import gettext_lazy as _

from shop.core.columns import Table, nobody, plain

TABLES = (
    Table(
        "events_event",
        _("That something happened, in order: each purchase has its entry."),
        plain("position id type customer_id payload at recorder_id"),
        about="t.customer_id = %(account)s OR t.recorder_id = %(account)s",
        section="events",
    ),
    nobody(
        "events_followercursor",
        "name position moved_at failures failing_since retry_at reason version next_version"
        " next_position has_leftovers",
    ),
    Table(
        "events_outbox",
        _("What just happened, until it has its place in the order."),
        plain("id type customer_id payload xid recorder_id"),
        about="t.customer_id = %(account)s OR t.recorder_id = %(account)s",
        section="events_without_position",
    ),
)
