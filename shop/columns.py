"""What the tables of Django itself hold."""

from django.utils.translation import gettext_lazy as _

from shop.core.columns import Rows, Table, nobody, personal, plain, secret

TABLES = (
    nobody("auth_group", "id name"),
    nobody("auth_group_permissions", "id group_id permission_id"),
    nobody("auth_permission", "id name content_type_id codename"),
    nobody("django_content_type", "id app_label model"),
    nobody("django_migrations", "id app name applied"),
    Table(
        "django_admin_log",
        _("What was changed in the admin, so that a mistake can be found."),
        plain("id action_time action_flag content_type_id user_id object_id"),
        # They are about what was changed, which may be somebody else.
        personal("object_repr change_message", exported=False, erased="'erased'"),
        about="t.user_id = %(account)s",
        section="admin",
        also=[
            Rows(
                about="strpos(t.object_repr || t.change_message, %(username)s) > 0"
                " OR strpos(t.object_repr || t.change_message, %(userid)s) > 0"
                " OR EXISTS (SELECT FROM unnest(%(emails)s::text[]) AS email"
                " WHERE strpos(lower(t.object_repr || t.change_message), email) > 0)",
                erased={"object_repr": "'erased'", "change_message": "'erased'"},
            )
        ],
    ),
    Table(
        "django_session",
        _("Browsers that are signed in."),
        plain("expire_date"),
        secret("session_key session_data"),
        about="t.session_key = ANY(%(sessions)s)",
        section="sessions",
        deletes=True,
    ),
)
