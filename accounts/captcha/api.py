"""The API of captchas."""

from typing import Any

from django.http import HttpRequest
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from accounts.captcha.challenges import ACTIONS, COST, COUNTER_MAX, challenge
from accounts.rules import OPEN
from shop.core.admission import network_of
from shop.core.errors import FieldError, ValidationFailed


class CaptchaThrottle(SimpleRateThrottle):
    """Counts the challenges of one network address, since making one costs a few milliseconds."""

    scope = "captcha"

    def get_cache_key(self, request: Request, view: Any) -> str:
        return f"throttle:{self.scope}:{network_of(self.get_ident(request))}"


class ParametersSerializer(serializers.Serializer[Any]):
    algorithm = serializers.CharField()
    cost = serializers.IntegerField()
    keyLength = serializers.IntegerField()
    keyPrefix = serializers.CharField()
    nonce = serializers.CharField()
    salt = serializers.CharField()
    expiresAt = serializers.IntegerField()
    data = serializers.DictField()  # type: ignore[assignment]


class ChallengeSerializer(serializers.Serializer[Any]):
    parameters = ParametersSerializer()
    signature = serializers.CharField()


class CaptchaView(APIView):
    """Challenges."""

    required = {"GET": OPEN}
    authentication_classes = ()
    throttle_classes = (CaptchaThrottle,)

    @extend_schema(
        operation_id="captcha",
        tags=["accounts"],
        summary="Get a captcha to solve",
        description=(
            "An ALTCHA challenge (version 2) for one action, good once and for 10 minutes. ALTCHA's"
            " libraries and its widget solve it. Send the solution as `captcha`: the JSON of"
            " `challenge` and `solution` in base64."
        ),
        parameters=[OpenApiParameter("action", enum=ACTIONS, required=True)],
        responses={200: ChallengeSerializer},
        examples=[
            OpenApiExample(
                "a challenge",
                {
                    "parameters": {
                        "algorithm": "PBKDF2/SHA-256",
                        "cost": COST,
                        "keyLength": 32,
                        "keyPrefix": "6b2f…",
                        "nonce": "5d0c…",
                        "salt": "a77e…",
                        "expiresAt": 1795680000,
                        "data": {"action": "sign_up", "key": "k1", "max": COUNTER_MAX},
                    },
                    "signature": "0f4a…",
                },
            )
        ],
    )
    def get(self, request: Request) -> Response:
        action = request.query_params.get("action", "")
        if action not in ACTIONS:
            detail = f"Give one of {', '.join(ACTIONS)}."
            raise ValidationFailed([FieldError("invalid_choice", detail, "action")])
        return Response(challenge(action))


def given_captcha(request: Request) -> str:
    """Return the captcha in the body of a request, or ``""``."""
    try:
        body = request.data
    except APIException:
        # The view says what is wrong with the body, unless something else is said before.
        return ""
    given = body.get("captcha", "") if isinstance(body, dict) else ""
    return given if isinstance(given, str) else ""


def offer(request: Request) -> HttpRequest:
    """Return the request with its captcha on it, for code that sees no body."""
    request._request.captcha_given = given_captcha(request)  # type: ignore[attr-defined]
    return request._request
