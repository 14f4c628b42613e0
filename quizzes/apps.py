"""The declarations of quizzes."""

from django.utils.translation import gettext_lazy as _

from accounts.access import allowed
from accounts.permissions import Permission
from shop.core.apps import NavigationEntry, ShopAppConfig


class QuizzesConfig(ShopAppConfig):
    """From a stranger's answers to a scored result in the mail, and to a customer."""

    name = "quizzes"
    verbose_name = "Quizzes"
    api_urls = "quizzes.urls"
    page_urls = "quizzes.page_urls"
    cookieless = ("/q/", "/api/v1/q/")
    demos = ("demo_quizzes",)
    navigation = (
        NavigationEntry(
            _("Quizzes"),
            "quiz_list",
            10,
            allowed(Permission.QUIZZES_READ),
            group="win",
            icon="sparkles",
        ),
        NavigationEntry(
            _("Leads"),
            "lead_list",
            20,
            allowed(Permission.QUIZZES_READ),
            group="win",
            icon="users",
        ),
    )
    searches = ("quizzes.pages.searches.find_leads",)
    audit_actions = ("quizzes.actions.ACTIONS",)
    event_types = "quizzes.events"
    append_only = ("Version", "ConsentText")
    sealed = ("quizzes.answering.sealed.COLUMNS", "quizzes.leads.models.SEALED")
    ledger_checks = ("quizzes.answering.verifying.CHECKS",)
    personal_data = "quizzes.columns.TABLES"
    process_loops = ("quizzes.funnel.viewing.flush",)
    site_settings = (
        "quizzes.funnel.site_settings.SETTINGS",
        "quizzes.leads.site_settings.SETTINGS",
    )
    document_kinds = (
        "quizzes.leads.kinds.Confirm",
        "quizzes.leads.kinds.Mail",
        "quizzes.leads.kinds.Paper",
    )
    erased_with = ("quizzes.leads.persons.erase_of",)
    exported_with = ("quizzes.leads.persons.export_of",)
    after_restore = ("quizzes.leads.erasing.leads_erase_again",)
    beat = {
        "purge-leads": {
            "task": "quizzes.purge",
            "schedule": 3600.0,
            "options": {"expires": 600},
        },
    }
    followers = ("quizzes.funnel.attribution.Attributions",)

    def ready(self) -> None:
        """Let the parts add to each other what they do."""
        # Models are loaded only now.
        from quizzes.answering.hooks import before_write, contact_by
        from quizzes.funnel.coupons import code_of, lead_confirmed, lead_forget
        from quizzes.funnel.limits import admit
        from quizzes.leads.hooks import after_confirm, after_erase, coupon_by
        from quizzes.leads.papers import has_contact, pdf_state

        before_write(admit)
        contact_by(has_contact, pdf_state)
        after_confirm(lead_confirmed)
        after_erase(lead_forget)
        coupon_by(code_of)
