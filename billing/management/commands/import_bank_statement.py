"""The command line of :mod:`billing.payments.bank_statements`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from accounts.permissions import Permission, allows
from billing.payments.bank_statements.importing import KNOWN, statement_import
from billing.payments.bank_statements.lines import LINES_MAX
from billing.payments.bank_statements.reading import read_statement
from preferences import snapshot
from shop.core.errors import ApplicationError

FILE_MAX_BYTES = 256 * 1024 * 1024


class Command(BaseCommand):
    help = (
        "Imports a bank's statement (camt.053 or CSV): books what has come for invoices that are "
        "known by reference or number; the rest waits on the page Payments, Bank. Can be run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--username", required=True, help="the account that books it")
        parser.add_argument("--dry-run", action="store_true", help="show it, and book nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        snapshot.load()
        actor = User.objects.named(options["username"]).first()
        if actor is None or not allows(actor.permissions, Permission.BILLING_WRITE_ALL):
            raise CommandError(f"There is no account {options['username']!r} that may book.")
        try:
            if path.stat().st_size > FILE_MAX_BYTES:
                raise CommandError(f"{path} is larger than {FILE_MAX_BYTES} bytes.")
            with path.open("rb") as file:
                lines = read_statement(file, most=LINES_MAX)
            done = statement_import(actor=actor, lines=lines, dry_run=options["dry_run"])
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from None
        except ApplicationError as error:
            raise CommandError(str(error)) from None
        for each in done.taken:
            if each.outcome != KNOWN:
                credit = each.credit
                what = credit.payment.document.label if credit.payment else credit.why
                self.stdout.write(
                    f"{credit.booked_on} {credit.amount} {credit.currency} "
                    f"{credit.bank_reference or '-'}: {each.outcome}, {what}"
                )
        counted = done.counted()
        would = "would be " if done.dry_run else ""
        self.stdout.write(
            f"{done.lines} lines: {counted['booked']} {would}booked, {counted['waiting']} wait, "
            f"{counted[KNOWN]} known, {done.debits} debits, {done.others} others"
        )
