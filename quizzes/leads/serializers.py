"""The bodies of the API of leads."""

from typing import Any

from rest_framework import serializers

from quizzes.leads.models import Lead
from quizzes.leads.selectors import MailState
from shop.core.bodies import Body


class QuizContactSerializer(Body):
    """An address, and what was ticked. `texts` are SHA-256 of the texts that were shown."""

    email = serializers.CharField(max_length=320)
    name = serializers.CharField(required=False, allow_blank=True, default="", max_length=200)
    consents = serializers.DictField(child=serializers.BooleanField(), required=False, default=dict)
    texts = serializers.DictField(
        child=serializers.RegexField(r"\A[0-9a-f]{64}\Z"), required=False, default=dict
    )
    website = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=2000,
        help_text="Hidden from people, so whoever fills it in is none, and nothing is kept.",
    )


class QuizContactTakenSerializer(serializers.Serializer[Any]):
    sent_to = serializers.CharField(help_text="The address that was given, without most of it.")


class LinkTokenSerializer(Body):
    """The token behind the `#` of a mailed link."""

    token = serializers.CharField(max_length=200)


class LinkDoneSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(["confirmed", "withdrawn", "erased", "sent", "limited"])
    quiz = serializers.CharField()
    language = serializers.CharField()


class LeadSerializer(serializers.Serializer[Any]):
    """Somebody who left an address."""

    id = serializers.UUIDField()
    email = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(
        [Lead.State.NEW.value, Lead.State.CONFIRMED.value, Lead.State.WITHDRAWN.value]
    )
    created_at = serializers.DateTimeField()
    confirmed_at = serializers.DateTimeField(allow_null=True)
    withdrawn_at = serializers.DateTimeField(allow_null=True)


class LeadResultSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    quiz = serializers.CharField()
    quiz_id = serializers.UUIDField()
    finished_at = serializers.DateTimeField()
    band = serializers.CharField(allow_null=True)
    outcome = serializers.CharField(allow_null=True)
    given_at = serializers.DateTimeField()
    confirmed_at = serializers.DateTimeField(allow_null=True)


class LeadConsentSerializer(serializers.Serializer[Any]):
    """A consent under its literal text. It `holds` from its confirmation to its withdrawal."""

    purpose = serializers.CharField()
    sha256 = serializers.CharField()
    language = serializers.CharField()
    text = serializers.CharField()
    result = serializers.UUIDField()
    given_at = serializers.DateTimeField()
    confirmed_at = serializers.DateTimeField(allow_null=True)
    withdrawn_at = serializers.DateTimeField(allow_null=True)
    holds = serializers.BooleanField()


class LeadMailSerializer(serializers.Serializer[Any]):
    """A mail to a lead. One whose outcome is `unknown` may have come, and is not sent again."""

    kind = serializers.ChoiceField(["confirm", "result"])
    result = serializers.UUIDField()
    state = serializers.ChoiceField(MailState.choices)
    created_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)


class LeadDetailSerializer(LeadSerializer):
    results = LeadResultSerializer(many=True)
    consents = LeadConsentSerializer(many=True)
    mails = LeadMailSerializer(many=True)


class ErasureStartedSerializer(serializers.Serializer[Any]):
    erasure = serializers.UUIDField(help_text="The id of the event `lead.erased`.")
