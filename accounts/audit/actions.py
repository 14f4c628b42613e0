"""What happens to accounts, in words for the person concerned."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "account.created": _("The account was made."),
    "account.signed_in": _("Somebody signed in."),
    "account.signed_out": _("Somebody signed out."),
    "account.changed": _("The data of the account were changed."),
    "password.changed": _("The password was changed."),
    "address.added": _("An e-mail address was added."),
    "address.verified": _("An e-mail address was verified."),
    "address.removed": _("An e-mail address was removed."),
    "address.chosen": _("Mails go to another e-mail address."),
    "session.ended": _("A session, token or key was ended from the list of sign-ins."),
    "sessions.ended": _("All sessions and tokens were ended."),
    "token.created": _("A token was made for a program."),
    "token.ended": _("A token was revoked."),
    "factor.added": _("A second factor was added."),
    "factor.removed": _("A second factor was removed."),
    "factor.renamed": _("A passkey was given another name."),
    "factor.codes_made": _("New recovery codes were made."),
    "factor.failed": _("A wrong code of a second factor was given."),
    "factor.reset": _("All second factors were removed by the staff."),
    "audit.exported": _("The audit was exported."),
    "admin.added": _("Something was added in the admin."),
    "admin.changed": _("Something was changed in the admin."),
    "admin.deleted": _("Something was deleted in the admin."),
}
