"""Seal everything anew with the first of DATA_KEYS."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from shop.core.sealing import Unsealable, require_keys, reseal


class Command(BaseCommand):
    help = (
        "Seals everything anew with the first of DATA_KEYS, in batches and beside the running "
        "site. It may be interrupted and run again. Afterwards no row names another key."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        counts: dict[str, int] = {}
        try:
            require_keys()
            for name, count in reseal():
                counts[name] = counts.get(name, 0) + count
        except Unsealable as error:
            raise CommandError(str(error)) from None
        for name, count in counts.items():
            self.stdout.write(f"Sealed {count} of {name} anew.")
        self.stdout.write(f"Everything is sealed with {next(iter(settings.DATA_KEYS))}.")
