"""The settings of leads and their mails at run time."""

from django.utils.translation import gettext_lazy as _

from shop.core.site_settings import Integer

QUIZ_MAILS_PER_QUIZ = Integer(
    "quiz_mails_per_quiz",
    1,
    section="quizzes",
    label=_("Mails of a quiz to an address in a day"),
    help=_("Those that anybody can cause who types the address."),
    minimum=1,
    maximum=100,
)
QUIZ_MAILS_PER_DAY = Integer(
    "quiz_mails_per_day",
    3,
    section="quizzes",
    label=_("Mails of all quizzes to an address in a day"),
    minimum=1,
    maximum=1000,
)
QUIZ_MAILS_PER_HOUR = Integer(
    "quiz_mails_per_hour",
    1000,
    section="quizzes",
    label=_("Mails of a company in an hour"),
    minimum=1,
    maximum=1_000_000,
)

SETTINGS = (
    QUIZ_MAILS_PER_QUIZ,
    QUIZ_MAILS_PER_DAY,
    QUIZ_MAILS_PER_HOUR,
)
