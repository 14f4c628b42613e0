"""The API of sign-ins by JWTs, and the page of the public keys."""

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import ByAddressThrottle, SignInThrottle
from accounts.authentication import TokenAuthentication, actor_of
from accounts.captcha.api import offer
from accounts.captcha.checks import check, is_asked
from accounts.jwt import services
from accounts.jwt.signing import public_keys
from accounts.models import Token
from accounts.rules import OPEN, requires
from accounts.serializers import SignInSerializer, TextField
from shop.core.bodies import Body, read
from shop.core.errors import FieldError, ValidationFailed
from shop.core.schema import BODY_OPTIONAL, envelope

_PAIR = {
    "access": "eyJhbGciOiJFZERTQSIs…",
    "expires_in": 300,
    "refresh": "shr_8cI0…",
    "refresh_expires_at": "2024-07-01T08:00:00.000000Z",
    "scope": "purchases:read purchases:write",
}
EXAMPLE = OpenApiExample("a pair", _PAIR, response_only=True)
JWKS_SECONDS = 3600


class RefreshThrottle(ByAddressThrottle):
    """Nobody guesses a refresh token, so many programs may share an address."""

    scope = "refresh"


class ScopeSerializer(Body):
    scope = TextField(
        max_length=1000,
        required=False,
        help_text="Permissions, separated by spaces; by default all that you have.",
    )


class JwtSerializer(SignInSerializer, ScopeSerializer):
    username = TextField(max_length=254, required=False)
    password = TextField(max_length=128, trim_whitespace=False, write_only=True, required=False)


class RefreshSerializer(Body):
    refresh = TextField(max_length=200)


class PairSerializer(serializers.Serializer[Any]):
    access = serializers.CharField(help_text="Sent as `Authorization: Bearer …`.")
    expires_in = serializers.IntegerField(help_text="Seconds.")
    refresh = serializers.CharField()
    refresh_expires_at = serializers.DateTimeField()
    scope = serializers.CharField()


def _answer(pair: services.Pair) -> Response:
    return Response(asdict(pair), headers={"Cache-Control": "no-store"})


class JwtView(APIView):
    """Sign-in by JWTs."""

    required = {"POST": OPEN}
    authentication_classes = (TokenAuthentication,)
    throttle_classes = (SignInThrottle,)

    @extend_schema(
        operation_id="auth_jwt",
        extensions={BODY_OPTIONAL: True},
        tags=["accounts"],
        summary="Sign in and get a JWT",
        description=(
            "By name and password, or by the token or key of the request, without which the "
            "sign-in then ends. The access token is good for five minutes, on every route and "
            "socket. The refresh token gets the next pair."
        ),
        request=JwtSerializer,
        responses={
            200: PairSerializer,
            401: envelope("Name, password, code or token is wrong."),
            403: envelope("The request is signed in by a JWT."),
        },
        examples=[
            OpenApiExample(
                "sign in",
                {"username": "joe", "password": "demo-joe", "scope": "purchases:read"},
                request_only=True,
            ),
            EXAMPLE,
        ],
    )
    def post(self, request: Request) -> Response:
        given = read(JwtSerializer, request)
        scope = given.get("scope")
        if isinstance(request.auth, Token):
            return _answer(
                services.grant_by_token(user=actor_of(request), token=request.auth, scope=scope)
            )
        if missing := [name for name in ("username", "password") if name not in given]:
            detail = "Give a name and a password, or a token."
            raise ValidationFailed([FieldError("required", detail, name) for name in missing])
        if is_asked("sign_in", page=False):
            check(request._request, "sign_in", given.get("captcha", ""))
        return _answer(
            services.grant_by_password(
                request=offer(request),
                username=given["username"],
                password=given["password"],
                code=given.get("code", ""),
                scope=scope,
            )
        )


class JwtRefreshView(APIView):
    """The next pair."""

    required = {"POST": OPEN}
    authentication_classes = ()
    throttle_classes = (RefreshThrottle,)

    @extend_schema(
        operation_id="auth_jwt_refresh",
        tags=["accounts"],
        summary="Get the next JWT",
        description=(
            "A refresh token is good once. For a minute it gets the same successor again, in case "
            "the answer was lost. Later its sign-in ends, because somebody else may have it."
        ),
        request=RefreshSerializer,
        responses={
            200: PairSerializer,
            401: envelope("`refresh_reused` or `refresh_invalid`."),
        },
        examples=[OpenApiExample("refresh", {"refresh": "shr_8cI0…"}, request_only=True), EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        given = read(RefreshSerializer, request)
        return _answer(
            services.grant_refresh(
                given["refresh"],
                address=request.META.get("REMOTE_ADDR", ""),
            )
        )


class JwtRevokeView(APIView):
    """The end of a sign-in by JWTs."""

    required = {"POST": OPEN}
    authentication_classes = ()
    throttle_classes = (RefreshThrottle,)

    @extend_schema(
        operation_id="auth_jwt_revoke",
        tags=["accounts"],
        summary="End a sign-in by JWTs",
        description="Its access tokens are refused from the next request on.",
        request=RefreshSerializer,
        responses={204: None},
        examples=[OpenApiExample("revoke", {"refresh": "shr_8cI0…"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        services.grant_revoke(read(RefreshSerializer, request)["refresh"])
        return Response(status=204)


@require_safe
@requires(GET=OPEN)
def key_set(request: HttpRequest) -> HttpResponse:
    """Return the public keys of access tokens."""
    return JsonResponse(public_keys(), headers={"Cache-Control": f"public, max-age={JWKS_SECONDS}"})
