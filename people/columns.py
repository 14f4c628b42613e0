"""What the tables of people hold."""

from django.utils.translation import gettext_lazy as _

from shop.core.columns import Rows, Table, nobody, personal, plain, secret

TABLES = (
    nobody("people_role", "code name permissions created_at"),
    Table(
        "people_invitation",
        _("Invitations to teams, to you and by you."),
        plain("id team_id invited_by_id created_at expires_at accepted_at"),
        personal("email", exported=False),
        secret("digest"),
        about="lower(t.email) = ANY(%(emails)s)",
        section="invitations",
        deletes=True,
        also=[
            Rows(about="t.invited_by_id = %(account)s", section="invitations_sent", deletes=True)
        ],
    ),
    Table(
        "people_membership",
        _("The teams that you are in."),
        plain("id team_id user_id since"),
        about="t.user_id = %(account)s",
        section="teams",
        deletes=True,
    ),
    nobody("people_team", "id name roles created_at"),
    Table(
        "people_keptanswer",
        _("Answers to your programs, kept for a while, so that a repeated request does nothing."),
        plain("id account_id route status made_at"),
        # They may be about somebody else.
        personal("key body", exported=False),
        secret("digest"),
        about="t.account_id = %(account)s",
        section="kept_answers",
        deletes=True,
    ),
)
