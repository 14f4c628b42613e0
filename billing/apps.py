"""The declarations of billing."""

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from billing.presence import is_billed, is_manager
from shop.core.apps import NavigationEntry, ShopAppConfig


class BillingConfig(ShopAppConfig):
    """Invoices, credit notes, coupons and payments, beside a ledger that keeps list prices."""

    name = "billing"
    site_settings = ("billing.site_settings.SETTINGS",)
    verbose_name = "Billing"
    api_urls = "billing.urls"
    page_urls = "billing.page_urls"
    event_types = "billing.events"
    audit_actions = ("billing.actions.ACTIONS",)
    personal_data = "billing.columns.TABLES"
    append_only = ("Document", "Line", "Tax", "Entry", "Redemption")
    # Runs issue invoices in workers, and sweeps enter payments.
    worker_adds = append_only
    sealed = ("billing.parties.models.SEALED",)
    after_restore = ("billing.invoices.restoring.generations_open",)
    ledger_checks = ("billing.ledger_checks.CHECKS",)
    document_kinds = (
        "billing.paper.kinds.Paper",
        "billing.paper.kinds.Mail",
        "billing.paper.kinds.Xml",
    )
    beat = {
        "purge-parties": {
            "task": "billing.parties_purge",
            "schedule": 86_400.0,
            "options": {"expires": 3600},
        },
        "sweep-runs": {
            "task": "billing.runs_sweep",
            "schedule": 30.0,
            "options": {"expires": 30},
        },
        "check-vat-ids": {
            "task": "billing.check_vat_ids",
            "schedule": 15.0,
            "options": {"expires": 15},
        },
        "sweep-payments": {
            "task": "billing.payments_sweep",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
        "purge-payments": {
            "task": "billing.payments_purge",
            "schedule": 86_400.0,
            "options": {"expires": 3600},
        },
    }
    if settings.BILLING:
        searches = ("billing.pages.searches.find_documents",)
        customer_panels = ("billing.pages.panels.customer_panel",)
        purchase_panels = ("billing.pages.panels.purchase_panel",)
        metrics = ("billing.metrics.collect_billing",)
        attention = ("billing.pages.attention.find_attention",)
        navigation = (
            NavigationEntry(
                _("Invoices"),
                "billing_home",
                place=10,
                shown_to=is_billed,
                group="bill",
                icon="receipt-text",
            ),
            NavigationEntry(
                _("Invoices"),
                "billing_manage",
                place=10,
                shown_to=is_manager,
                group="bill",
                icon="receipt-text",
                count="billing.pages.attention.count_drafts",
                covers=("billing_home",),
            ),
            NavigationEntry(
                _("Coupons"),
                "billing_coupons",
                place=20,
                shown_to=is_manager,
                group="bill",
                icon="ticket-percent",
            ),
            NavigationEntry(
                _("Payments"),
                "billing_payments",
                place=30,
                shown_to=is_manager,
                group="bill",
                icon="banknote",
                count="billing.pages.attention.count_money",
                covers=("billing_refunds", "billing_disputes"),
            ),
        )
