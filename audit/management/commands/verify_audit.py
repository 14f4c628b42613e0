"""Check the chain of the audit."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.notes import verifier_key
from audit.verification import verify


class Command(BaseCommand):
    help = (
        "Checks that no entry of the audit was changed, removed, reordered or cut off. Exits with "
        "1 where something is wrong, and names the entries."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", type=int, default=1, dest="since", metavar="SEQ")
        parser.add_argument("--to", type=int, dest="until", metavar="SEQ")
        parser.add_argument(
            "--checkpoint",
            action="append",
            default=[],
            metavar="FILE",
            help="a signed note that was kept outside of the shop; may be repeated",
        )
        parser.add_argument(
            "--key", action="store_true", help="print the key that verifies signed notes, and end"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["key"]:
            self.stdout.write(verifier_key())
            return
        if options["since"] < 1 or (options["until"] or 1) < 1:
            raise CommandError("Entries are numbered from 1.")
        try:
            notes = [Path(name).read_text() for name in options["checkpoint"]]
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error)) from None
        verdict = verify(options["since"], options["until"], notes)
        for finding in verdict.findings:
            self.stdout.write(f"BROKEN  {finding}")
        if verdict.findings:
            raise CommandError(f"{len(verdict.findings)} findings.", returncode=1)
        self.stdout.write(
            f"The chain is whole: {verdict.checked} entries, from {verdict.since} to"
            f" {verdict.until}; the personal details of {verdict.erased} were erased."
        )
