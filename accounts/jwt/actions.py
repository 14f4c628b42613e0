"""What happens to sign-ins by JWTs, in words for the person concerned."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "jwt.created": _("A program was signed in for the API by JWTs."),
    "jwt.ended": _("A program’s sign-in by JWTs has ended."),
    "jwt.reused": _("A refresh token was used twice, so its sign-in has ended."),
}
