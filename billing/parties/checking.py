"""The workers' part of a VAT id: asking VIES about those that wait, until it has answered.

A claim moves the time of the next attempt ahead and commits. VIES is asked outside any transaction,
and what it said is written only if the VAT id is still the same.
"""

from datetime import timedelta
from typing import Any, NamedTuple

import structlog
from django.conf import settings
from django.db import connection

from billing.parties import vies
from billing.parties.models import Profile

logger = structlog.get_logger(__name__)

TRY_AGAIN = timedelta(minutes=30)
GIVE_UP = timedelta(days=7)
"""How long VIES is asked about one id. Registers of member states are away for days."""
AT_ONCE = 5
"""How many ids one task asks about. Beat starts all tasks, so nobody makes the shop ask faster."""

# A time further ahead than any that is set comes from a clock that was put back.
_CLAIM = f"""
UPDATE {Profile._meta.db_table} SET vat_next_check_at = statement_timestamp() + %(again)s
 WHERE account_id = (
    SELECT account_id FROM {Profile._meta.db_table}
     WHERE vat_next_check_at <= statement_timestamp()
        OR vat_next_check_at > statement_timestamp() + 2 * %(again)s::interval
     ORDER BY vat_next_check_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING account_id, vat_id
"""  # noqa: S608
_VERDICT = f"""
UPDATE {Profile._meta.db_table}
   SET vat_check = %(verdict)s, vat_checked_at = statement_timestamp(), vat_next_check_at = NULL,
       vat_check_until = NULL
 WHERE account_id = %(account)s AND vat_id = %(vat_id)s
"""  # noqa: S608
_GIVE_UP = f"""
UPDATE {Profile._meta.db_table} SET vat_next_check_at = NULL, vat_check_until = NULL
 WHERE account_id = %(account)s AND vat_id = %(vat_id)s AND vat_check_until <= vat_next_check_at
"""  # noqa: S608


class _Claimed(NamedTuple):
    account_id: int
    vat_id: str


def vat_ids_check() -> int:
    """Ask VIES about the VAT ids that are due; return how many it has answered.

    The first that it does not answer ends the round, because it mostly is away as a whole.
    """
    answered = 0
    for _ in range(AT_ONCE if settings.BILLING_VAT_CHECK else 0):
        claimed = _claim()
        if claimed is None:
            break
        place = {"account": claimed.account_id, "vat_id": claimed.vat_id}
        try:
            valid = vies.is_in_force(claimed.vat_id)
        except vies.NotAnswered as error:
            logger.warning(
                "vat_id.not_checked", account_id=claimed.account_id, reason=str(error)[:80]
            )
            _write(_GIVE_UP, place)
            break
        verdict = Profile.VatCheck.VALID if valid else Profile.VatCheck.INVALID
        _write(_VERDICT, {**place, "verdict": verdict})
        logger.info("vat_id.checked", account_id=claimed.account_id, verdict=str(verdict))
        answered += 1
    return answered


def _claim() -> _Claimed | None:
    with connection.cursor() as cursor:
        values: Any = {"again": TRY_AGAIN}
        cursor.execute(_CLAIM, values)
        row = cursor.fetchone()
    return _Claimed(*row) if row else None


def _write(statement: str, values: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
