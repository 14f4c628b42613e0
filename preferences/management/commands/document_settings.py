"""``manage.py document_settings``."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from preferences.reference import PLACES, written


class Command(BaseCommand):
    """Write the settings at run time into docs/settings.md and .env.example."""

    help = "Write the settings at run time into docs/settings.md and .env.example."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        for path in PLACES:
            (settings.BASE_DIR / path).write_text(written(path), encoding="utf-8")
