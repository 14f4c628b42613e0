"""Proof of work for a quiz: a captcha of the shop, bound to the slug, good once for 10 minutes."""

from typing import Any

from accounts.captcha import challenges


def challenge_for(slug: str) -> dict[str, Any]:
    """Return a challenge in ALTCHA's format. Nothing is stored until it is solved."""
    return challenges.challenge(_action(slug))


def is_solved(payload: str, slug: str) -> bool:
    """Return whether a payload solves a challenge for the quiz, and use it up."""
    return bool(payload) and challenges.is_solved(payload, _action(slug))


def _action(slug: str) -> str:
    return f"quiz:{slug}"
