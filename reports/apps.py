"""The declarations of statements and sales reports."""

from django.utils.translation import gettext_lazy as _

from accounts.access import allowed
from accounts.permissions import Permission
from shop.core.apps import NavigationEntry, ShopAppConfig


class ReportsConfig(ShopAppConfig):
    """Statements and sales reports: kinds of documents, requested by API and page."""

    name = "reports"
    site_settings = ("reports.site_settings.SETTINGS",)
    api_urls = "reports.urls"
    page_urls = "reports.page_urls"
    attention = ("reports.attention.find_attention",)
    document_kinds = (
        "reports.kinds.Statement",
        "reports.kinds.CustomerStatement",
        "reports.kinds.Sales",
    )
    customer_panels = ("reports.customers.statements_panel",)
    navigation = (
        NavigationEntry(
            _("Reports"),
            "report_list",
            place=30,
            shown_to=allowed(Permission.REPORTS_READ),
            group="know",
            icon="file-text",
            count="reports.attention.count_for",
        ),
    )
