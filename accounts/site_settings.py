"""The settings of accounts at run time."""

from django.utils.translation import gettext_lazy as _

from shop.core.site_settings import Choice, Integer

CAPTCHA = Choice(
    "captcha",
    "pages",
    development="off",
    section="accounts",
    label=_("Captcha"),
    help=_("Where a captcha is asked for."),
    choices={
        "off": _("Nowhere"),
        "pages": _("On the pages of sign-up"),
        "everywhere": _("In the API and at sign-in, too"),
    },
)
JWT_DAYS = Integer(
    "jwt_days",
    30,
    section="accounts",
    label=_("Days of a sign-in by JWT"),
    help=_("How long a sign-in by JWTs can be refreshed."),
    minimum=1,
    maximum=365,
)
KEYS_PER_ACCOUNT = Integer(
    "keys_per_account",
    50,
    section="accounts",
    label=_("Keys"),
    help=_("How many API keys an account has at most."),
    minimum=1,
    maximum=1000,
)
MAILS_PER_HOUR = Integer(
    "mails_per_hour",
    20,
    section="accounts",
    label=_("Mails an hour"),
    help=_("How many mails of one purpose, such as new passwords, one address gets in an hour."),
    minimum=1,
    maximum=1000,
)
MAILS_PER_DAY = Integer(
    "mails_per_day",
    60,
    section="accounts",
    label=_("Mails a day"),
    help=_("How many mails of one purpose, such as new passwords, one address gets in a day."),
    minimum=1,
    maximum=10_000,
)
# In development the quotas must not limit a benchmark.
QUOTA_REQUESTS_PER_MINUTE = Integer(
    "quota_requests_per_minute",
    6_000,
    development=600_000,
    section="quotas",
    label=_("Requests a minute"),
    help=_("Of one account, at one process; 0 sets no limit."),
)
QUOTA_CLIENT_REQUESTS_PER_MINUTE = Integer(
    "quota_client_requests_per_minute",
    0,
    section="quotas",
    label=_("Requests a minute of a client program"),
    help=_("And of staff, at one process; 0 sets no limit."),
)

SETTINGS = (
    CAPTCHA,
    JWT_DAYS,
    KEYS_PER_ACCOUNT,
    MAILS_PER_HOUR,
    MAILS_PER_DAY,
    QUOTA_REQUESTS_PER_MINUTE,
    QUOTA_CLIENT_REQUESTS_PER_MINUTE,
)
