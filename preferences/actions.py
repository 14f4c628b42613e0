"""What happens to settings at run time, in words."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "settings.changed": _("Settings of the shop were changed."),
    "settings.restored": _("Earlier settings of the shop were restored."),
}
