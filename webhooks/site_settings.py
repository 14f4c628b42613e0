"""The settings of webhooks at run time."""

from django.utils.translation import gettext_lazy as _

from shop.core.site_settings import Integer

WEBHOOKS_KEEP_DAYS = Integer(
    "webhooks_keep_days",
    30,
    section="operation",
    label=_("Days of webhooks"),
    help=_("How long it can be seen what webhooks delivered."),
    minimum=1,
    maximum=36_500,
)

SETTINGS = (WEBHOOKS_KEEP_DAYS,)
