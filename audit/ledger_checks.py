"""The chain as an invariant, for ``manage.py verify_ledger``."""

from collections.abc import Iterator

from audit.health import waiting
from audit.verification import verify
from shop.core.ledger import LedgerCheck, Say


def _broken(say: Say) -> Iterator[str]:
    verdict = verify()
    count, _ = waiting()
    say(f"{verdict.checked} entries of the audit, the last {verdict.head}; {count} wait.")
    yield from map(str, verdict.findings)


CHECKS = (LedgerCheck("The audit's chain is whole.", _broken),)
