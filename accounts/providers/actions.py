"""What happens to links to providers, in words for the person concerned."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "provider.linked": _("An account elsewhere was connected. It signs in here."),
    "provider.unlinked": _("An account elsewhere was disconnected."),
    "account.proved_late": _(
        "The address was verified for the first time, so everything older has ended."
    ),
}
