"""What happens to companies and quizzes, in words for the person concerned."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "lead.erased": _("A lead was erased."),
    "lead.exported": _("The leads of a company were exported."),
    "company.created": _("A company was made."),
    "company.changed": _("The name or the brand of a company was changed."),
    "company.member_changed": _("Somebody got another role in a company."),
    "company.member_removed": _("Somebody left a company."),
    "quiz.created": _("A quiz was made."),
    "quiz.changed": _("A quiz was opened, closed, or got other limits."),
    "quiz.published": _("A quiz was published."),
}
