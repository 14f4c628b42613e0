"""Where parts above add what they do about leads. They register when the app is ready."""

from collections.abc import Callable
from uuid import UUID

from quizzes.answering.models import Result
from quizzes.leads.models import Lead

Confirmed = Callable[[Lead, Result], None]

_confirmed: list[Confirmed] = []
_erased: list[Callable[[UUID], None]] = []
_coupon: list[Callable[[UUID], str]] = []


def after_confirm(act: Confirmed) -> None:
    """Register what belongs to a confirmation.

    It is called once for each confirmed result, within the transaction that locks the lead.
    """
    _confirmed.append(act)


def after_erase(act: Callable[[UUID], None]) -> None:
    """Register what an erasure cuts from a lead elsewhere, within its transaction."""
    _erased.append(act)


def coupon_by(code_of: Callable[[UUID], str]) -> None:
    """Register what tells the code that came with a result; empty for none."""
    _coupon[:] = [code_of]


def confirmed(lead: Lead, result: Result) -> None:
    """Do what belongs to a confirmation."""
    for act in _confirmed:
        act(lead, result)


def erased(lead: UUID) -> None:
    """Cut what other parts keep of a lead."""
    for act in _erased:
        act(lead)


def coupon_of(result: UUID) -> str:
    """Return the code of the coupon that came with a result; empty for none."""
    return _coupon[0](result) if _coupon else ""
