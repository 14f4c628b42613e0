"""The declarations of quizzes."""

from shop.core.apps import ShopAppConfig


class QuizzesConfig(ShopAppConfig):
    """From a stranger's answers to a scored result in the mail, and to a customer."""

    name = "quizzes"
    verbose_name = "Quizzes"
    api_urls = "quizzes.urls"
    page_urls = "quizzes.page_urls"
    cookieless = ("/q/", "/api/v1/q/")
    demos = ("demo_quizzes",)
    audit_actions = ("quizzes.actions.ACTIONS",)
    event_types = "quizzes.events"
    append_only = ("Version", "ConsentText")
    sealed = ("quizzes.answering.sealed.COLUMNS", "quizzes.leads.models.SEALED")
    ledger_checks = ("quizzes.answering.verifying.CHECKS",)
    personal_data = "quizzes.columns.TABLES"
    process_loops = ("quizzes.funnel.viewing.flush",)
    site_settings = ("quizzes.funnel.site_settings.SETTINGS",)
    followers = ("quizzes.funnel.attribution.Attributions",)

    def ready(self) -> None:
        from quizzes.answering.hooks import before_write
        from quizzes.funnel.limits import admit

        before_write(admit)
