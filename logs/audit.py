"""What happens to the log, in words for the person concerned."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {"logs.exported": _("Lines of the log were exported.")}
