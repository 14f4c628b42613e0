"""Check what must hold in quizzes, and print what was checked."""

from collections.abc import Sequence

from quizzes.answering.verifying import CHECKS
from shop.core.ledger import LedgerCheck
from shop.core.verifying import VerifyCommand


class Command(VerifyCommand):
    help = (
        "Reckons every result again from its version and its answers, and checks that attempts, "
        "results and counts agree. It is a part of verify_ledger. Exits with 1 where something is "
        "wrong."
    )

    def checks(self) -> Sequence[LedgerCheck]:
        """Return the checks of quizzes."""
        return CHECKS
