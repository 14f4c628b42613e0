"""The shapes of the respondents' API, for its documentation. msgspec reads and writes them."""

from typing import Any

from rest_framework import serializers

from shop.core.bodies import Body


class PublicQuizSerializer(serializers.Serializer[Any]):
    slug = serializers.CharField()
    version = serializers.IntegerField()
    sha256 = serializers.CharField()
    languages = serializers.ListField(child=serializers.CharField())
    state = serializers.CharField()
    company = serializers.DictField()
    definition = serializers.DictField()


class AttemptSaveSerializer(Body):
    rev = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    language = serializers.CharField(max_length=12)
    answers = serializers.DictField()
    at = serializers.CharField(
        required=False, allow_null=True, help_text="The question that is being shown."
    )
    times = serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        required=False,
        help_text="Milliseconds at each question.",
    )
    source = serializers.DictField(  # type: ignore[assignment]
        child=serializers.CharField(max_length=200),
        required=False,
        help_text="Where the respondent comes from: `ref`, `utm_source`. The first save counts.",
    )
    test = serializers.BooleanField(
        required=False, help_text="A preview, which is counted nowhere."
    )


class AttemptSavedSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    rev = serializers.IntegerField()
    state = serializers.CharField()
    path_length = serializers.IntegerField()


class RespondentAttemptSerializer(AttemptSavedSerializer):
    version = serializers.IntegerField()
    language = serializers.CharField()
    answers = serializers.DictField()
    at = serializers.CharField(allow_null=True)


class AttemptFinishSerializer(Body):
    rev = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    answers = serializers.DictField()


class CategoryScoreSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    title = serializers.CharField()
    percent = serializers.CharField(allow_null=True)
    band = serializers.CharField(allow_null=True)


class HeadlineSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    text = serializers.ListField(child=serializers.DictField(), help_text="Blocks of the text.")


class ShownAnswerSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    title = serializers.CharField()
    answer = serializers.CharField(allow_null=True)
    correct = serializers.BooleanField(allow_null=True)


class AttemptResultSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    quiz = serializers.CharField()
    version = serializers.IntegerField()
    language = serializers.CharField()
    finished_at = serializers.DateTimeField()
    points = serializers.CharField()
    max = serializers.CharField()
    percent = serializers.CharField(allow_null=True)
    band = serializers.CharField(allow_null=True)
    outcome = serializers.CharField(allow_null=True)
    tied_with = serializers.ListField(child=serializers.CharField())
    categories = CategoryScoreSerializer(many=True)
    headline = HeadlineSerializer(allow_null=True)
    blocks = serializers.ListField(child=serializers.DictField())
    item = serializers.CharField(allow_null=True)
    answers = ShownAnswerSerializer(many=True)
    contact = serializers.CharField()
    late = serializers.BooleanField()
    pdf = serializers.CharField()
