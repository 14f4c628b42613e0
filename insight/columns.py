"""What the tables of the roll-ups hold: sums, and by which ids they were made."""

from django.utils.translation import gettext_lazy as _

from shop.core.columns import Table, nobody, plain

_SUMS = "version currency purchases quantity revenue"

TABLES = (
    Table(
        "insight_customer_day",
        _("Sums of your purchases by day, which statistics are made of."),
        plain(f"customer_id day {_SUMS}"),
        about="t.customer_id = %(account)s",
        section="purchases_by_day",
    ),
    Table(
        "insight_customer",
        _("Sums of all your purchases, with the times of the first and the last."),
        plain(f"customer_id first_at last_at {_SUMS}"),
        about="t.customer_id = %(account)s",
        section="purchases_in_total",
    ),
    # Some names of items tell who bought them.
    nobody("insight_item_day", f"day {_SUMS}", hidden="item"),
    nobody("insight_slot", f"slot {_SUMS}"),
)
