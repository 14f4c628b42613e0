"""Refuse migrations that the running version would not survive."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from shop.core.migration_check import check_project


class Command(BaseCommand):
    help = (
        "Refuses migrations that cannot run while the version before them serves: what drops or "
        "renames, what misses a default, what locks a table while it is read or rewritten."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        findings = check_project()
        if findings:
            raise CommandError("\n".join(map(str, findings)))
        self.stdout.write("Every migration can run under the version before it.")
