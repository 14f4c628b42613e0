"""What happens to personal data, in words for the person concerned."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "export.requested": _("An export of all data was asked for."),
    "erasure.scheduled": _("The account is to be erased."),
    "erasure.cancelled": _("The account is not to be erased any more."),
    "account.erased": _("The account was erased."),
    "hold.placed": _("The account must not be erased for now."),
    "hold.released": _("The account may be erased again."),
}
