"""The settings of reports at run time."""

from django.utils.translation import gettext_lazy as _

from shop.core.site_settings import Integer

QUOTA_REPORTS_PER_HOUR = Integer(
    "quota_reports_per_hour",
    60,
    development=6_000,
    section="quotas",
    label=_("Reports an hour"),
    help=_("Of one account; 0 sets no limit."),
)
QUOTA_REPORT_PAGES_PER_HOUR = Integer(
    "quota_report_pages_per_hour",
    20_000,
    development=2_000_000,
    section="quotas",
    label=_("Pages of reports an hour"),
    help=_("Of one account; 0 sets no limit."),
)
REPORTS_MAX_LINES = Integer(
    "reports_max_lines",
    200_000,
    section="documents",
    label=_("Lines of a report"),
    help=_("A longer one is refused, and says so."),
    minimum=1,
)

SETTINGS = (QUOTA_REPORTS_PER_HOUR, QUOTA_REPORT_PAGES_PER_HOUR, REPORTS_MAX_LINES)
