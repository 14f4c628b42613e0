"""What is wrong with a definition or with answers."""

from collections.abc import Sequence
from typing import NamedTuple


class Problem(NamedTuple):
    """A stable code, a sentence, and the place: ``questions.3.options.1.key``, ``answers.q2``."""

    code: str
    detail: str
    attr: str | None = None


class Invalid(ValueError):
    """The input breaks one or more rules; ``errors`` names each of them."""

    def __init__(self, errors: Sequence[Problem]) -> None:
        super().__init__(errors[0].detail)
        self.errors = list(errors)
