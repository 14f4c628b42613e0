"""The declarations of quizzes."""

from shop.core.apps import ShopAppConfig


class QuizzesConfig(ShopAppConfig):
    """From a stranger's answers to a scored result in the mail, and to a customer."""

    name = "quizzes"
    verbose_name = "Quizzes"
    api_urls = "quizzes.urls"
    page_urls = "quizzes.page_urls"
    audit_actions = ("quizzes.actions.ACTIONS",)
    event_types = "quizzes.events"
    append_only = ("Version", "ConsentText")
    sealed = ("quizzes.answering.sealed.COLUMNS", "quizzes.leads.models.SEALED")
    ledger_checks = ("quizzes.answering.verifying.CHECKS",)
    personal_data = "quizzes.columns.TABLES"
