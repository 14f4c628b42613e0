"""What happens to the site, in words."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {"deploy.recorded": _("A deploy was recorded.")}
