from django.apps import AppConfig


class PurchasesConfig(AppConfig):
    """The ledger, its event log and the live feed."""

    name = "purchases"
