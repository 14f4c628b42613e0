"""What the tables of quizzes hold. Respondents are no accounts, so nothing is found by one."""

from shop.core.columns import nobody

TABLES = (
    nobody(
        "quizzes_leadmail",
        "document company_id lead_id quiz_id result_id kind counted created_at",
        hidden="address",
    ),
    nobody("quizzes_mailtoken", "lead_id result_id purpose expires_at", hidden="sha256"),
    nobody(
        "quizzes_consent",
        "id lead_id purpose text_id result_id given_at confirmed_at withdrawn_at",
    ),
    nobody("quizzes_consenttext", "sha256 language text"),
    nobody("quizzes_leadresult", "result_id lead_id given_at confirmed_at", hidden="name"),
    nobody(
        "quizzes_lead",
        "id company_id state created_at seen_at confirmed_at withdrawn_at erased_at",
        hidden="email_index key email name",
    ),
    nobody("quizzes_indexkey", "company_id", hidden="key"),
    nobody("quizzes_attribution", "purchase_id result_id via currency total bought_at"),
    nobody(
        "quizzes_grant",
        "id lead_id campaign result_id coupon_id template_id reason at",
        hidden="code",
    ),
    nobody("quizzes_view", "id quiz_id day ref count"),
    nobody(
        "quizzes_result",
        "attempt_id quiz_id version_id language points max percent band outcome tied categories"
        " answers path late test suspect finished_at",
        hidden="digest private",
    ),
    nobody(
        "quizzes_attempt",
        "id quiz_id version_id rev language answers written at seen times source state test suspect"
        " started_at saved_at",
        hidden="secret_sha256 digest private",
    ),
    nobody("quizzes_questionkey", "id quiz_id question type"),
    nobody(
        "quizzes_version",
        "id quiz_id number definition sha256 scorer published_at published_by_id",
    ),
    nobody(
        "quizzes_quiz",
        "id company_id slug state draft draft_rev version opens_at closes_at embed arms retired"
        " max_results finished per_address created_at",
    ),
    nobody("quizzes_seat", "membership_id role"),
    nobody("quizzes_company", "id slug name brand team_id created_at"),
)
