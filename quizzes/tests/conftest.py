"""What all tests of quizzes need."""

import pytest

from quizzes.answering import definitions


@pytest.fixture(autouse=True)
def _other_quizzes() -> None:
    """Forget published definitions, because each test has its own under the same names."""
    for kept in (definitions._definitions, definitions._versions, definitions._quizzes):
        kept.clear()
