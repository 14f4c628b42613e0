"""What the tables of quizzes hold. Respondents are no accounts, so nothing is found by one."""

from django.utils.translation import gettext_lazy as _

from shop.core.columns import Table, nobody, plain, secret

_ANSWERED = _("What respondents answered. What they wrote themselves is sealed.")

TABLES = (
    Table(
        "quizzes_result",
        _ANSWERED,
        plain("attempt_id quiz_id version_id language digest points max percent band outcome tied"),
        plain("categories answers path late test suspect finished_at"),
        secret("private"),
    ),
    Table(
        "quizzes_attempt",
        _ANSWERED,
        plain("id quiz_id version_id rev digest language answers at seen times source state"),
        plain("test suspect started_at saved_at"),
        secret("secret_sha256 private"),
    ),
    nobody("quizzes_questionkey", "id quiz_id key type"),
    nobody(
        "quizzes_version",
        "id quiz_id number definition sha256 scorer published_at published_by_id",
    ),
    nobody(
        "quizzes_quiz",
        "id company_id slug state draft draft_rev version opens_at closes_at embed arms"
        " max_results finished per_address created_at",
    ),
    nobody("quizzes_seat", "membership_id role"),
    nobody("quizzes_company", "id slug name brand team_id created_at"),
)
