"""Check what must hold in billing, and print what was checked."""

from billing.ledger_checks import CHECKS
from shop.core.ledger import LedgerCheck
from shop.management.commands import verify_ledger


class Command(verify_ledger.Command):
    help = (
        "Checks that the numbers of each series have no gap, that the chain of hashes is whole, "
        "that documents say what their rows say, and that sums, credits and balances are exact. "
        "It is a part of verify_ledger. Exits with 1 where something is wrong."
    )

    def checks(self) -> list[LedgerCheck]:
        """Return the checks of billing."""
        return list(CHECKS)
