"""What the tables of the ledger hold."""

from django.utils.translation import gettext_lazy as _

from purchases.formats import iso
from shop.core.columns import Rows, Table, nobody, personal, plain

# The fields of the bulk route, so that another shop takes the file as it is.
_LINE = f"""json_build_object(
    'id', t.id, 'userid', %(userid)s::text, 'username', %(username)s::text, 'item', t.item,
    'quantity', t.quantity, 'price', t.price::text, 'currency', t.currency,
    'timestamp', {iso("t.timestamp")}, 'received_at', {iso("t.received_at")},
    'recorded_by', t.recorded_by_id)"""

TABLES = (
    # A view of the log, for the version before.
    nobody("purchases_event", "purchase_id customer_id position place"),
    Table(
        "purchases_purchase",
        _("Your purchases. They are the shop's books, which it has to keep."),
        plain("id quantity price currency timestamp received_at customer_id recorded_by_id"),
        plain("dedupe_key fingerprint"),
        personal("item"),
        about="t.customer_id = %(account)s",
        section="purchases",
        row=_LINE,
        kept=_(
            "Purchases stay in the books, with the names of the things bought, but nothing in them "
            "tells whose they were."
        ),
        also=[
            Rows(
                about="t.recorded_by_id = %(account)s AND t.customer_id <> %(account)s",
                what=_("Purchases that you recorded for others."),
                section="purchases_recorded",
                row=_LINE.replace(
                    "'userid', %(userid)s::text, 'username', %(username)s::text",
                    "'customer', t.customer_id",
                ),
            )
        ],
    ),
    nobody("purchases_upload", "received_at", hidden="key body"),
)
