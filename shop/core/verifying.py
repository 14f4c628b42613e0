"""The command that checks invariants and prints what was checked."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from shop.core.database import no_statement_timeout
from shop.core.ledger import LedgerCheck

EXAMPLES = 5
ISOLATION = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


class VerifyCommand(ABC, BaseCommand):
    """A command that exits with 1 where one of its ``checks`` finds something."""

    requires_system_checks: list[str] = []

    @abstractmethod
    def checks(self) -> Sequence[LedgerCheck]:
        """Return what is checked."""

    def handle(self, *args: Any, **options: Any) -> None:
        findings = 0
        checks = self.checks()
        # All checks use one snapshot, so that concurrent writes cannot look like damage.
        with no_statement_timeout(), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(ISOLATION)
            for check in checks:
                broken = list(check.find_broken(self._say))
                findings += len(broken)
                self.stdout.write(f"{'ok    ' if not broken else 'BROKEN'}  {check.what}")
                for example in broken[:EXAMPLES]:
                    self._say(example)
                if len(broken) > EXAMPLES:
                    self._say(f"and {len(broken) - EXAMPLES} more")
        if findings:
            raise CommandError(f"{findings} findings.", returncode=1)
        self.stdout.write(f"All {len(checks)} checks hold.")

    def _say(self, line: str) -> None:
        self.stdout.write(f"        {line}")
