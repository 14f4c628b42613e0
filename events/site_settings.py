"""The settings of the live feed at run time."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from shop.core.site_settings import Integer, Rule

QUOTA_SOCKETS = Integer(
    "quota_sockets",
    50,
    development=5_000,
    section="quotas",
    label=_("Open sockets"),
    help=_(
        "Of one account, at one process, and as many requests that wait for events; 0 sets no"
        " limit."
    ),
)
QUOTA_ADDRESS_SOCKETS = Integer(
    "quota_address_sockets",
    1_000,
    development=100_000,
    section="quotas",
    label=_("Open sockets of an address"),
    help=_("With the requests that wait, at one process; 0 sets no limit."),
)

SETTINGS = (QUOTA_SOCKETS, QUOTA_ADDRESS_SOCKETS)
RULES = (
    Rule(
        ("quota_sockets", "quota_address_sockets"),
        lambda account, address: not address or account <= address,
        gettext_noop("An address needs as many sockets as an account may have."),
    ),
)
