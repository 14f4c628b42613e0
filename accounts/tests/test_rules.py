"""What the declaration of a view does, on views of this test."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from accounts.models import Token, User
from accounts.permissions import Permission
from accounts.rules import OPEN, CredentialKind, needs, required_by, requires

pytestmark = pytest.mark.django_db

ON_SESSIONS = needs(Permission.PURCHASES_READ, credentials=CredentialKind.SESSION)


class _View(APIView):
    def get(self, request: Request) -> Response:
        return Response("got")

    def post(self, request: Request) -> Response:
        return Response("sent")


def _ask(user: User | None, method: str = "GET", **required: Any) -> tuple[int, str | None]:
    attributes = {"required": required} if required else {}
    view: Any = type("View", (_View,), attributes)
    headers = {}
    if user is not None:
        headers["Authorization"] = f"Token {Token.objects.create(user)[1]}"
    response = view.as_view()(APIRequestFactory().generic(method, "/", headers=headers))
    return response.status_code, response.get("Accepted-Permissions")


def test_a_view_that_declares_nothing_is_closed(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    assert _ask(alice) == (403, None)
    assert _ask(alice, "POST", GET=OPEN) == (403, None)
    assert _ask(None) == (403, None)


def test_a_route_for_sessions_takes_no_token(alice: User) -> None:
    assert _ask(alice, GET=needs(Permission.PURCHASES_READ)) == (200, None)
    assert _ask(alice, GET=ON_SESSIONS) == (403, None)


def test_head_needs_what_get_needs(alice: User) -> None:
    rule = needs(Permission.LOGS_READ_ALL)
    assert _ask(alice, "HEAD", GET=rule) == _ask(alice, GET=rule) == (403, "logs:read_all")
    assert _ask(None, "HEAD", GET=rule)[0] == 401


def test_a_method_that_a_view_lacks_is_405_behind_the_same_door(alice: User) -> None:
    assert _ask(alice, "PUT", GET=needs(Permission.LOGS_READ_ALL))[0] == 405
    assert _ask(None, "PUT", GET=needs(Permission.LOGS_READ_ALL))[0] == 401
    assert _ask(None, "PUT", GET=OPEN)[0] == 405


def test_a_page_asks_for_a_session_and_a_permission(alice: User) -> None:
    @requires(GET=needs(Permission.LOGS_READ_ALL), POST=OPEN)
    def page(request: HttpRequest) -> HttpResponse:
        return HttpResponse("shown")

    def status(method: str, user: Any) -> int:
        request = RequestFactory().generic(method, "/api/")
        request.user = user
        return page(request).status_code

    assert [status(method, AnonymousUser()) for method in ("GET", "HEAD", "POST")] == [
        302,
        302,
        200,
    ]
    assert status("GET", alice) == 403
    # A method that the page does not declare needs a session at least.
    assert status("PUT", AnonymousUser()) == 302
    only_tokens = needs(Permission.LOGS_READ_ALL, credentials=CredentialKind.TOKEN)
    assert not (required_by(requires(GET=only_tokens)(page)) or {})["GET"].is_open
    alice.give_roles(["operator"])
    assert status("GET", alice) == 200
    declared = required_by(page)
    assert declared is not None
    assert declared["GET"].credentials == CredentialKind.SESSION
