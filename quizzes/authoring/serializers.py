"""The shapes of the API of quizzes."""

from typing import Any

from rest_framework import serializers

from accounts.serializers import TextField
from quizzes.authoring.models import ORIGIN_MAX_LENGTH, Quiz, Version
from quizzes.authoring.services import ARMS_MAX, ORIGINS_MAX, WEIGHT_MAX
from quizzes.companies.models import SLUG_MAX_LENGTH
from quizzes.definition.checks import Checked
from quizzes.definition.problems import Problem
from shop.core.bodies import Body
from shop.core.times import iso

RESULTS_MAX = 1_000_000_000


class QuizInputSerializer(Body):
    slug = TextField(max_length=SLUG_MAX_LENGTH, help_text="Its name in addresses: `/q/{slug}/`.")
    definition = serializers.JSONField(help_text="A definition `shop-quiz/1`, perhaps incomplete.")


class ArmSerializer(Body):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    weight = serializers.IntegerField(min_value=1, max_value=WEIGHT_MAX)

    def to_internal_value(self, data: Any) -> Any:
        return dict(super().to_internal_value(data))


class QuizChangeSerializer(Body):
    state = serializers.ChoiceField(
        choices=[Quiz.State.OPEN.value, Quiz.State.CLOSED.value], required=False
    )
    opens_at = serializers.DateTimeField(required=False, allow_null=True)
    closes_at = serializers.DateTimeField(required=False, allow_null=True)
    embed = serializers.ListField(
        child=TextField(max_length=ORIGIN_MAX_LENGTH),
        max_length=ORIGINS_MAX,
        required=False,
        help_text="The origins whose pages may embed it.",
    )
    arms = serializers.ListField(
        child=ArmSerializer(),
        max_length=ARMS_MAX,
        required=False,
        help_text="Versions among which new attempts are divided; empty for the newest only.",
    )
    max_results = serializers.IntegerField(
        min_value=1, max_value=RESULTS_MAX, required=False, allow_null=True
    )
    per_address = serializers.ChoiceField(choices=Quiz.PerAddress.choices, required=False)


class QuizSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    company = serializers.CharField()
    slug = serializers.CharField()
    state = serializers.ChoiceField(choices=Quiz.State.choices)
    draft_rev = serializers.IntegerField()
    version = serializers.IntegerField(allow_null=True, help_text="That of new attempts.")
    url = serializers.CharField()
    opens_at = serializers.DateTimeField(allow_null=True)
    closes_at = serializers.DateTimeField(allow_null=True)
    embed = serializers.ListField(child=serializers.CharField())
    arms = ArmSerializer(many=True)
    max_results = serializers.IntegerField(allow_null=True)
    finished = serializers.IntegerField(help_text="How many attempts were finished.")
    per_address = serializers.ChoiceField(choices=Quiz.PerAddress.choices)
    created_at = serializers.DateTimeField()


class CheckInputSerializer(Body):
    definition = serializers.JSONField(
        required=False, help_text="What is checked instead of the draft."
    )


_PROBLEMS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["code", "detail", "attr"],
        "properties": {
            "code": {"type": "string"},
            "detail": {"type": "string"},
            "attr": {"type": "string", "nullable": True},
        },
    },
}
CHECKED: dict[str, Any] = {
    "type": "object",
    "required": ["errors", "warnings", "reach"],
    "properties": {
        "errors": _PROBLEMS,
        "warnings": _PROBLEMS,
        "reach": {
            "type": "object",
            "description": "The lowest and highest that answers could come to.",
            "required": ["points", "categories", "outcomes"],
            "properties": {
                "points": {"type": "array", "items": {"type": "string"}},
                "categories": {"type": "object"},
                "outcomes": {"type": "object"},
            },
        },
    },
}


class VersionSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    sha256 = serializers.CharField()
    published_at = serializers.DateTimeField()


def quiz_data(quiz: Quiz, company: str) -> dict[str, Any]:
    """Return a quiz as the API shows it."""
    return {
        "id": str(quiz.pk),
        "company": company,
        "slug": quiz.slug,
        "state": quiz.state,
        "draft_rev": quiz.draft_rev,
        "version": quiz.version,
        "url": f"/q/{quiz.slug}/",
        "opens_at": quiz.opens_at and iso(quiz.opens_at),
        "closes_at": quiz.closes_at and iso(quiz.closes_at),
        "embed": quiz.embed,
        "arms": quiz.arms,
        "max_results": quiz.max_results,
        "finished": quiz.finished,
        "per_address": quiz.per_address,
        "created_at": iso(quiz.created_at),
    }


def version_data(version: Version) -> dict[str, Any]:
    """Return a version as the API shows it, without its definition."""
    return {
        "version": version.number,
        "sha256": bytes(version.sha256).hex(),
        "published_at": iso(version.published_at),
    }


def checked_data(checked: Checked) -> dict[str, Any]:
    """Return what a check found."""
    return {
        "errors": [_problem(each) for each in checked.errors],
        "warnings": [_problem(each) for each in checked.warnings],
        "reach": checked.reach,
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {"code": problem.code, "detail": problem.detail, "attr": problem.attr}
