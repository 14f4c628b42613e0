"""Where the parts above add what they do about attempts: limits, mails, coupons.

Each part registers its functions when the app is ready. Nothing here knows what they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from quizzes.answering.models import Result


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a request before anything is written.

    ``network`` is the holder of the client's address, as ``shop.core.admission`` has it.
    ``challenge`` is the header ``Challenge``: the solution of a proof of work, or empty.
    """

    action: Literal["save", "finish", "contact"]
    slug: str
    quiz: UUID
    attempt: UUID
    network: str
    challenge: str = ""


Admit = Callable[[Facts], None]
Finished = Callable[[Sequence[Result]], None]

_admits: list[Admit] = []
_finished: list[Finished] = []
_has_contact: list[Callable[[UUID], bool]] = []
_pdf: list[Callable[[UUID], str]] = []


def before_write(admit: Admit) -> None:
    """Register what may refuse a save, a finish or a contact, by an ``ApplicationError``.

    It is called in the event loop, so it must not wait for anything, except if there is a
    ``challenge``: then it is called in a thread.
    """
    _admits.append(admit)


def after_finish(finished: Finished) -> None:
    """Register what belongs to a finish. It is called within its transaction, with new results.

    Each result's ``attempt``, ``quiz`` and ``version`` are ids only.
    """
    _finished.append(finished)


def contact_by(has_contact: Callable[[UUID], bool], pdf: Callable[[UUID], str]) -> None:
    """Register what tells whether a result's respondent left an address, and the PDF's state."""
    _has_contact[:] = [has_contact]
    _pdf[:] = [pdf]


def admit(facts: Facts) -> None:
    """Raise the ``ApplicationError`` of whatever refuses this request."""
    for one in _admits:
        one(facts)


def finished(results: Sequence[Result]) -> None:
    """Do what belongs to a finish."""
    for one in _finished:
        one(results)


def has_contact(result: UUID) -> bool:
    """Return whether the respondent of a result left an address."""
    return any(one(result) for one in _has_contact)


def pdf_state(result: UUID) -> str:
    """Return the state of a result's PDF: ``queued``, ``ready``, …."""
    return _pdf[0](result) if _pdf else "queued"
