"""Check the invariants of a database, and print what was checked."""

from collections.abc import Sequence

from shop.core.apps import ledger_checks
from shop.core.ledger import LedgerCheck
from shop.core.verifying import VerifyCommand


class Command(VerifyCommand):
    help = (
        "Checks what every app declares to hold: that each purchase has its event, that positions "
        "grow without a gap, that totals agree, that every finished report has its PDF. Exits "
        "with 1 where something is wrong."
    )

    def checks(self) -> Sequence[LedgerCheck]:
        """Return what every app declares to hold."""
        return list(ledger_checks())
