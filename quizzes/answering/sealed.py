"""What respondents wrote themselves: sealed, and apart from the answers that are keys and numbers.

An attempt's texts may be about anybody, so they are kept as personal data are. The SHA-256 of the
state and a result's figures do not tell them.
"""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from shop.core.sealing import SealedColumn, Unsealable, seal, unseal

ATTEMPT, RESULT = "quizzes.attempt.private", "quizzes.result.private"

COLUMNS = (
    SealedColumn(ATTEMPT, "quizzes_attempt", "private", account="id"),
    SealedColumn(RESULT, "quizzes_result", "private", account="attempt_id", key="attempt_id"),
)


def sealed(texts: Mapping[str, str], attempt: UUID, column: str) -> str:
    """Return the texts by the keys of their questions, sealed; nothing for no texts."""
    if not texts:
        return ""
    return seal(msgspec.json.encode(texts), account=str(attempt), column=column)


def opened(private: str, attempt: UUID, column: str) -> dict[str, str]:
    """Return the texts of an attempt or a result; none where they were erased.

    Raise ``Unsealable``.
    """
    if not private:
        return {}
    return msgspec.json.decode(
        unseal(private, account=str(attempt), column=column), type=dict[str, str]
    )


__all__ = ["ATTEMPT", "COLUMNS", "RESULT", "Unsealable", "opened", "sealed"]
