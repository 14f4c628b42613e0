"""What a line of the log holds."""

from django.utils.translation import gettext_lazy as _

from shop.core.columns import Table, personal, plain

TABLES = (
    Table(
        "logs_entry",
        _("Lines of the log: what the site did when, so that faults are found."),
        plain("at id kept level part instance logger event request_id user_id"),
        # A line may tell of others, too.
        personal("message fields words", exported=False),
        about="t.user_id = %(account)s",
        section="log",
        kept=_(
            "A line is never changed, so that nobody can hide what they did. It goes by itself:"
            " after a day, two weeks or three months, by how serious it is, unless the shop sets"
            " other times."
        ),
    ),
)
