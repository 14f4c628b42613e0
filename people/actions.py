"""What happens to roles, teams and members, in words for the person concerned."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "account.activated": _("The account was opened again."),
    "account.deactivated": _("The account was closed."),
    "account.ranked": _("What the account may do was changed."),
    "role.created": _("A role was made."),
    "role.changed": _("A role was changed."),
    "role.deleted": _("A role was deleted."),
    "team.created": _("A team was made."),
    "team.changed": _("A team was changed."),
    "team.deleted": _("A team was deleted."),
    "member.added": _("The account was put into a team."),
    "member.removed": _("The account was taken out of a team."),
    "invitation.created": _("Somebody was invited to a team."),
    "invitation.withdrawn": _("An invitation was withdrawn."),
    "invitation.accepted": _("An invitation to a team was accepted."),
}
