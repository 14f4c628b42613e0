"""Check what must hold in billing, and print what was checked."""

from collections.abc import Sequence

from billing.ledger_checks import CHECKS
from shop.core.ledger import LedgerCheck
from shop.core.verifying import VerifyCommand


class Command(VerifyCommand):
    help = (
        "Checks that the numbers of each series have no gap, that the chain of hashes is whole, "
        "that documents say what their rows say, and that sums, credits and balances are exact. "
        "It is a part of verify_ledger. Exits with 1 where something is wrong."
    )

    def checks(self) -> Sequence[LedgerCheck]:
        """Return the checks of billing."""
        return CHECKS
