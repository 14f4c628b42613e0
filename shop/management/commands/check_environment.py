"""Check that every setting can be read, before anything is started with it."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Reads the settings as every process does; a missing or example secret ends it with 1."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"The environment is complete ({settings.ENVIRONMENT}).")
