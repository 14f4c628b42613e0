from django.apps import AppConfig


class ReportsConfig(AppConfig):
    """Statements: requested, rendered, mailed."""

    name = "reports"
