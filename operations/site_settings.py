"""The settings of operating figures at run time."""

from django.utils.translation import gettext_lazy as _

from shop.core.site_settings import Integer

OPERATIONS_KEEP_DAYS = Integer(
    "operations_keep_days",
    15,
    section="operation",
    label=_("Days of operating figures"),
    help=_("How long those of each minute are kept. Those of an hour stay for two years."),
    minimum=8,
    maximum=100,
)

SETTINGS = (OPERATIONS_KEEP_DAYS,)
