"""What happens to keys, in words for the person concerned."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "key.created": _("An API key was made."),
    "key.changed": _("An API key was changed."),
    "key.rotated": _("An API key was replaced by a new one."),
    "key.ended": _("An API key was ended."),
}
