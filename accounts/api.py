"""The account API."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.core import ratelimit
from django.conf import settings
from django.contrib.auth import logout
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle
from rest_framework.views import APIView

from accounts.authentication import ticket_issue
from accounts.captcha.api import given_captcha, offer
from accounts.captcha.checks import check, is_asked, passes
from accounts.models import Token
from accounts.permissions import CUSTOMER, codes
from accounts.rules import EITHER, OPEN, SIGNED_IN, CredentialKind, Rule
from accounts.serializers import (
    AccountSerializer,
    MeSerializer,
    SignInSerializer,
    SignUpSerializer,
    TicketSerializer,
    TokenSerializer,
)
from accounts.services import account_create, token_create, token_end
from shop.core.admission import network_of
from shop.core.bodies import read
from shop.core.schema import envelope

SIGN_UP_SECONDS = 3600.0


class ByAddressThrottle(SimpleRateThrottle):
    """Counts the requests of one network address, or of one IPv6 network."""

    def get_cache_key(self, request: Request, view: Any) -> str:
        return f"throttle:{self.scope}:{network_of(self.get_ident(request))}"


class SignInThrottle(ByAddressThrottle):
    scope = "sign_in"

    def allow_request(self, request: Request, view: Any) -> bool:
        """Return whether the address may try once more. A solved captcha passes."""
        return super().allow_request(request, view) or passes(
            request._request, "sign_in", given_captcha(request)
        )


class SignUpThrottle(BaseThrottle):
    """The limit of sign-ups of an address, which page and API share."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the request; return whether its address may sign up once more.

        A solved captcha passes.
        """
        if ratelimit.consume(request._request, action="signup"):
            return True
        return passes(request._request, "sign_up", given_captcha(request))

    def wait(self) -> float:
        """Return after how many seconds there is room again, at the latest."""
        return SIGN_UP_SECONDS


class AccountListView(APIView):
    """Sign-up."""

    required = {"POST": OPEN}
    authentication_classes = ()
    throttle_classes = (SignUpThrottle,)

    @extend_schema(
        operation_id="accounts_create",
        summary="Sign up",
        description="Creates an account and mails a link that verifies its address.",
        request=SignUpSerializer,
        responses={201: AccountSerializer},
        examples=[
            OpenApiExample(
                "sign up",
                {"username": "zoe", "email": "zoe@example.com", "password": "orchid-lamp-42"},
                request_only=True,
            ),
            OpenApiExample(
                "the account",
                {"username": "zoe", "userid": "9f86d081884c7d65", "email": "zoe@example.com"},
                response_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        given = read(SignUpSerializer, request)
        captcha = given.pop("captcha", "")
        if is_asked("sign_up", page=False):
            check(request._request, "sign_up", captcha)
        user = account_create(request=request._request, **given)
        return Response(
            {"username": user.username, "userid": user.userid, "email": user.email}, status=201
        )


class TokenView(APIView):
    """Sign-in for programs."""

    required = {"POST": OPEN}
    authentication_classes = ()
    throttle_classes = (SignInThrottle,)

    @extend_schema(
        operation_id="auth_token",
        tags=["accounts"],
        summary="Sign in and get a token",
        description="The token is shown only here; what is stored is its digest.",
        request=SignInSerializer,
        responses={
            200: TokenSerializer,
            401: envelope(
                "`invalid_credentials`: username, password or code is wrong. "
                "`mfa_required`: the account has a second factor, and the code is missing."
            ),
        },
        examples=[
            OpenApiExample(
                "sign in", {"username": "joe", "password": "demo-joe"}, request_only=True
            ),
            OpenApiExample(
                "the token",
                {"token": "0b9f…", "expires_at": "2024-06-30T15:54:32.204000Z"},
                response_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        given = read(SignInSerializer, request)
        captcha = given.pop("captcha", "")
        if is_asked("sign_in", page=False):
            check(request._request, "sign_in", captcha)
        token, expires_at = token_create(request=offer(request), **given)
        return Response({"token": token, "expires_at": expires_at})


class LogoutView(APIView):
    """Sign-out."""

    # A key is ended on the pages, so no program ends it for all that have it.
    required = {"POST": Rule(credentials=EITHER & ~CredentialKind.KEY)}

    @extend_schema(
        operation_id="auth_logout",
        tags=["accounts"],
        summary="Sign out",
        description="Revokes the token that the request carries, or ends the session.",
        request=None,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        if isinstance(request.auth, Token):
            token_end(request.auth)
        else:
            logout(request._request)
        return Response(status=204)


class MeView(APIView):
    """The caller's own account."""

    required = {"GET": SIGNED_IN}

    @extend_schema(
        operation_id="accounts_me",
        summary="Show your account",
        responses={200: MeSerializer},
        examples=[
            OpenApiExample(
                "joe",
                {
                    "username": "joe",
                    "userid": "005",
                    "email": "joe@example.com",
                    "email_verified": True,
                    "is_staff": False,
                    "permissions": codes(CUSTOMER),
                    "roles": ["customer"],
                    "mfa": False,
                },
            )
        ],
    )
    def get(self, request: Request) -> Response:
        user: Any = request.user
        verified = EmailAddress.objects.filter(
            user=user, email__iexact=user.email, verified=True
        ).exists()
        return Response(
            {
                "username": user.username,
                "userid": user.userid,
                "email": user.email,
                "email_verified": verified,
                "is_staff": user.is_staff,
                "permissions": codes(user.permissions),
                "roles": user.all_roles,
                "mfa": user.second_factor,
            }
        )


class LiveTicketView(APIView):
    """Passes to the live feed."""

    required = {"POST": SIGNED_IN}

    @extend_schema(
        operation_id="live_ticket",
        summary="Get a one-use ticket for the live feed",
        description="For clients that can set no header: give it as `?ticket=` within 30 seconds.",
        request=None,
        responses={200: TicketSerializer},
        examples=[OpenApiExample("a ticket", {"ticket": "k3J…", "expires_in": 30})],
    )
    def post(self, request: Request) -> Response:
        user: Any = request.user
        if isinstance(request.auth, Token):
            ticket = ticket_issue(
                user=user, token_digest=request.auth.digest, ends=request.auth.ends
            )
        else:
            session_key = request._request.session.session_key or ""
            ticket = ticket_issue(user=user, session_key=session_key)
        return Response({"ticket": ticket, "expires_in": settings.LIVE_TICKET_SECONDS})
