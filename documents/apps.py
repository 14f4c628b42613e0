"""The declarations of documents."""

from typing import Any

from django.conf import settings
from django.core.files.storage import storages

from shop.core.apps import ShopAppConfig


class DocumentsConfig(ShopAppConfig):
    """Documents: rendered, stored and mailed. Other apps declare their kinds."""

    name = "documents"
    site_settings = ("documents.site_settings.SETTINGS",)
    personal_data = "documents.columns.TABLES"
    metrics = ("documents.metrics.collect_documents",)
    attention = ("documents.attention.find_attention",)
    ledger_checks = ("documents.ledger_checks.CHECKS",)
    beat = {
        "sweep-documents": {
            "task": "reports.sweep",
            "schedule": 15.0,
            "options": {"expires": 15},
        },
        "purge-documents": {
            "task": "reports.purge",
            "schedule": 3600.0,
            "options": {"expires": 600},
        },
    }

    def ready(self) -> None:
        """Make the storage, so that a process whose store is not configured does not start."""
        described: Any = settings.STORAGES["default"]
        storages.create_storage(described)
