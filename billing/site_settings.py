"""The settings of billing at run time."""

from django.utils.translation import gettext_lazy as _

from shop.core.site_settings import Integer

BILLING_DUE_DAYS = Integer(
    "billing_due_days",
    14,
    section="billing",
    label=_("Days until an invoice is due"),
    help=_("Of invoices that say nothing else."),
    maximum=365,
)

SETTINGS = (BILLING_DUE_DAYS,)
