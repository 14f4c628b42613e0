"""The settings of files and their mails at run time."""

from django.utils.translation import gettext_lazy as _

from shop.core.site_settings import Integer

REPORTS_KEEP_DAYS = Integer(
    "reports_keep_days",
    90,
    section="documents",
    label=_("Days that PDFs are kept"),
    help=_("Of reports and statements. Older ones are removed, and their download answers 410."),
    minimum=1,
    maximum=36_500,
)
REPORTS_MEGABYTES_PER_ACCOUNT = Integer(
    "reports_megabytes_per_account",
    500,
    section="documents",
    label=_("Megabytes of an account"),
    help=_("The oldest PDFs beyond them are removed."),
    minimum=1,
)
MAIL_ATTEMPTS = Integer(
    "mail_attempts",
    12,
    section="documents",
    label=_("Attempts of a mail"),
    help=_("How often a PDF is offered to the mail server, at growing intervals."),
    minimum=1,
    maximum=50,
)
MAIL_ATTACHMENT_MIB = Integer(
    "mail_attachment_mib",
    10,
    section="documents",
    label=_("Size of an attachment in MiB"),
    help=_("A mail has a link instead of a larger file."),
    maximum=100,
)

SETTINGS = (REPORTS_KEEP_DAYS, REPORTS_MEGABYTES_PER_ACCOUNT, MAIL_ATTEMPTS, MAIL_ATTACHMENT_MIB)
