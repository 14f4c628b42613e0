"""The limits of quizzes at run time. In development they must not limit a benchmark."""

from django.utils.translation import gettext_lazy as _

from shop.core.site_settings import Integer

QUIZ_ATTEMPTS_FREE = Integer(
    "quiz_attempts_free",
    30,
    development=0,
    section="quizzes",
    label=_("Attempts without work"),
    help=_(
        "Of one network within 10 minutes, at one process. Then a device has to do a sum for each,"
        " and after 10 times as many it is refused; 0 sets no limit."
    ),
)
QUIZ_FINISHES_FREE = Integer(
    "quiz_finishes_free",
    60,
    development=0,
    section="quizzes",
    label=_("Finished attempts without work"),
    help=_(
        "Of one network within an hour, at one process. Then a device has to do a sum for each,"
        " and after 10 times as many it is refused; 0 sets no limit."
    ),
)
QUIZ_CONTACTS_FREE = Integer(
    "quiz_contacts_free",
    20,
    development=0,
    section="quizzes",
    label=_("Addresses without work"),
    help=_(
        "That one network leaves within an hour, at one process. Then a device has to do a sum for"
        " each, and after 10 times as many it is refused; 0 sets no limit."
    ),
)
QUIZ_CONTACTS_PER_ATTEMPT = Integer(
    "quiz_contacts_per_attempt",
    3,
    section="quizzes",
    label=_("Addresses of an attempt"),
    help=_("How many times an attempt may leave an address in a day; 0 sets no limit."),
)
QUIZ_SAVES_PER_MINUTE = Integer(
    "quiz_saves_per_minute",
    120,
    development=0,
    section="quizzes",
    label=_("Saves of an attempt a minute"),
    help=_("At an even pace, with 20 at once; 0 sets no limit."),
)

SETTINGS = (
    QUIZ_ATTEMPTS_FREE,
    QUIZ_FINISHES_FREE,
    QUIZ_CONTACTS_FREE,
    QUIZ_CONTACTS_PER_ATTEMPT,
    QUIZ_SAVES_PER_MINUTE,
)
