"""What the funnel reads about a quiz beside its figures."""

from django.db.models import Count

from quizzes.authoring.models import Quiz, Version
from quizzes.funnel.models import Grant


def version_id(quiz: Quiz, number: str) -> int | None:
    """Return the id of the version with this number; ``None`` if there is none."""
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    found = Version.objects.filter(quiz=quiz, number=int(number))
    return found.values_list("pk", flat=True).first()


def newest_version(quiz: Quiz) -> int | None:
    """Return the id of the version of new attempts; ``None`` for a quiz that has none."""
    found = Version.objects.filter(quiz=quiz, number=quiz.version or 0)
    return found.values_list("pk", flat=True).first()


def coupons_not_given(quiz: Quiz) -> list[tuple[str, int]]:
    """Return why leads of the quiz got no coupon, and how many."""
    found = Grant.objects.filter(result__quiz=quiz).exclude(reason="")
    return list(found.values_list("reason").annotate(n=Count("pk")).order_by("reason"))
