"""The settings of the log at run time."""

from django.utils.translation import gettext_lazy as _

from shop.core.site_settings import Integer

LOGS_KEEP_DEBUG_DAYS = Integer(
    "logs_keep_debug_days",
    1,
    section="logs",
    label=_("Days of debugging"),
    help=_("How long the searchable copies of these lines are kept."),
    minimum=1,
    maximum=3650,
)
LOGS_KEEP_INFO_DAYS = Integer(
    "logs_keep_info_days",
    14,
    section="logs",
    label=_("Days of information"),
    help=_("How long the searchable copies of these lines are kept."),
    minimum=1,
    maximum=3650,
)
LOGS_KEEP_WARNING_DAYS = Integer(
    "logs_keep_warning_days",
    90,
    section="logs",
    label=_("Days of warnings and errors"),
    help=_("How long the searchable copies of these lines are kept."),
    minimum=1,
    maximum=3650,
)

SETTINGS = (LOGS_KEEP_DEBUG_DAYS, LOGS_KEEP_INFO_DAYS, LOGS_KEEP_WARNING_DAYS)
