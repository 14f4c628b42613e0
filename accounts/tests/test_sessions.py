"""How young a sign-in has to be, and how credentials end."""

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from knox.models import get_token_model
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from accounts.models import User
from accounts.rules import RECENT, requires
from accounts.sessions.ending import end_credentials
from accounts.tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
ME = "/api/v1/accounts/me/"


def signed_in(name: str = "alice", **headers: str) -> Client:
    """Return a browser that has signed in on the page."""
    client = Client(headers=headers)
    answer = client.post("/accounts/login/", {"login": name, "password": PASSWORD})
    assert answer.status_code == 302, answer.content
    return client


def age(client: Client, seconds: int) -> None:
    """Make the sign-in of a session so much older."""
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] -= seconds
    session.save()


class _Recent(APIView):
    required = {"GET": RECENT}

    def get(self, request: Request) -> Response:
        return Response("done")


@requires(GET=RECENT, POST=RECENT)
def _page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("done")


def _ask(client: Client, method: str = "GET") -> tuple[Any, Any]:
    """Return the answers of a route and of a page that ask for a recent sign-in."""
    answers = []
    for view, factory in ((_Recent.as_view(), APIRequestFactory()), (_page, RequestFactory())):
        body = {"data": "name=x", "content_type": "application/x-www-form-urlencoded"}
        sent: Any = body if method == "POST" else {}
        request: Any = factory.generic(method, "/somewhere/", **sent)
        request.session = client.session
        request.user = User.objects.get(pk=client.session["_auth_user_id"])
        answers.append(view(request))
    return answers[0], answers[1]


def test_what_needs_a_recent_sign_in_takes_one_of_the_last_five_minutes(
    alice: User, sign_in: Any
) -> None:
    client = signed_in()
    assert [answer.status_code for answer in _ask(client)] == [200, 200]
    age(client, 299)
    assert [answer.status_code for answer in _ask(client)] == [200, 200]
    age(client, 2)
    route, page = _ask(client)
    assert (route.status_code, route.data["errors"][0]["code"]) == (
        403,
        "reauthentication_required",
    )
    assert page.headers["Location"] == "/accounts/reauthenticate/?next=/somewhere/"
    # A form comes back with what was typed.
    assert _ask(client, "POST")[1].headers["Location"].endswith("?next=/somewhere/%3Fname%3Dx")

    answer = client.post(page.headers["Location"], {"password": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/somewhere/")
    assert [answer.status_code for answer in _ask(client)] == [200, 200]
    # An account without a password, as after a sign-in by a provider, is not always recent.
    age(client, 301)
    session = client.session
    User.objects.filter(pk=alice.pk).update(password="!")
    session["_auth_user_hash"] = User.objects.get(pk=alice.pk).get_session_auth_hash()
    session.save()
    assert [answer.status_code for answer in _ask(client)] == [403, 302]
    # A sign-in that is ahead of the clock proves nothing.
    age(client, -10_000)
    assert [answer.status_code for answer in _ask(client)] == [403, 302]


def test_no_token_is_a_recent_sign_in(alice: User) -> None:
    token = get_token_model().objects.create(alice)[1]
    request = APIRequestFactory().get("/", headers={"Authorization": f"Token {token}"})
    request.session = signed_in().session  # type: ignore[attr-defined]
    answer = _Recent.as_view()(request)
    assert (answer.status_code, answer.data["errors"][0]["code"]) == (
        403,
        "reauthentication_required",
    )


def test_all_credentials_end_but_the_session_that_is_kept(alice: User, sign_in: Any) -> None:
    bob = User.objects.create_user("bob", "bob@example.com", PASSWORD)
    kept, other, bobs = signed_in(), signed_in(), signed_in("bob")
    tokens = [sign_in(), sign_in("bob")]
    with transaction.atomic():
        ended = end_credentials(alice, keep_session=kept.session.session_key or "", reason="test")
    assert ended.token == 1
    assert [client.get(ME).status_code for client in (kept, other, bobs)] == [200, 401, 200]
    assert [kept.get(ME, headers=each).status_code for each in tokens] == [401, 200]
    with transaction.atomic():
        end_credentials(bob, keep_session=kept.session.session_key or "", reason="test")
    # A session of somebody else is not taken over.
    assert [client.get(ME).status_code for client in (kept, bobs)] == [200, 401]
    assert kept.get(ME).status_code == 200


def test_a_session_from_before_there_were_salts_goes_on(alice: User) -> None:
    client = signed_in()
    digest = client.session["_auth_user_hash"]
    assert alice.session_salt == ""
    # Django's own digest, which the version before compares.
    assert digest == super(User, alice)._get_session_auth_hash()
    assert Session.objects.count() == 1
