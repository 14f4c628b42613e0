"""The company ``shop``: its people are those with ``quizzes:write_all``, alone."""

from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.models import User
from events.tests.log import number
from people.tests.conftest import Api, make
from quizzes.tests.access_authoring import DEFINITION

pytestmark = pytest.mark.django_db
SHOP = "companies/shop/"


def with_rights(boss: Api, name: str, *permissions: str) -> Api:
    """Return the client of an account that has these permissions besides those of a customer."""
    role = {"code": name, "name": name, "permissions": list(permissions)}
    assert boss("POST", "roles/", role).status_code == 201
    return Api(make(name, name))


@pytest.fixture
def boss() -> Api:
    return Api(make("boss", "admin"))


@pytest.fixture
def keeper(boss: Api) -> Api:
    return with_rights(boss, "keeper", "quizzes:write_all")


def made(keeper: Api) -> str:
    """Return a quiz of the shop that the keeper has published."""
    body = {"slug": "coffee", "definition": DEFINITION}
    answer = keeper("POST", f"{SHOP}quizzes/", body)
    assert answer.status_code == 201, answer.content
    quiz = str(answer.json()["id"])
    assert keeper("POST", f"{SHOP}quizzes/{quiz}/publish/").status_code == 201
    return quiz


def test_they_do_and_see_by_the_api_what_an_owner_does(keeper: Api) -> None:
    quiz = made(keeper)
    found = keeper("GET", "companies/").json()["results"]
    assert [(each["slug"], each["role"]) for each in found] == [("shop", "owner")]
    one = f"{SHOP}quizzes/{quiz}/"
    for path in ("brand/", "members/", "quizzes/", "leads/", "leads/export.jsonl"):
        assert keeper("GET", f"{SHOP}{path}").status_code == 200, path
    for path in ("", "draft/", "versions/", "versions/1/", "results/", "funnel/", "export.json"):
        assert keeper("GET", f"{one}{path}").status_code == 200, path
    draft = keeper("GET", f"{one}draft/")
    changed = keeper("PUT", f"{one}draft/", draft.json(), If_Match=draft.headers["ETag"])
    assert changed.status_code == 200, changed.content
    assert keeper("POST", f"{one}check/").status_code == 200
    assert keeper("PATCH", one, {"state": "closed"}).status_code == 200
    assert keeper("PUT", f"{SHOP}brand/", {"color": "#1f5c4d"}).status_code == 200
    assert keeper("GET", f"{SHOP}leads/0197f3c0-7a51-7c21-9c3e-0a4f6d2b9f10/").status_code == 404


def test_they_have_the_pages(keeper: Api) -> None:
    quiz = made(keeper)
    client = Client()
    client.force_login(User.objects.get(username="keeper"))
    pages = [
        *(reverse(name) for name in ("quiz_list", "lead_list")),
        reverse("quiz_company", args=["shop"]),
        *(
            reverse(f"quiz_{name}", args=[quiz])
            for name in ("editor", "versions", "opening", "results", "funnel", "file")
        ),
    ]
    for page in pages:
        assert client.get(page).status_code == 200, page
    assert reverse("quiz_list") in client.get("/").content.decode()


def test_its_events_are_theirs_and_nobody_elses(boss: Api, keeper: Api) -> None:
    other = with_rights(boss, "member", "quizzes:read", "quizzes:write")
    assert other("POST", "companies/", {"slug": "tea", "name": "Tea"}).status_code == 201
    quiz = made(keeper)
    tea = other("POST", "companies/tea/quizzes/", {"slug": "tea", "definition": DEFINITION}).json()
    assert other("POST", f"companies/tea/quizzes/{tea['id']}/publish/").status_code == 201
    with transaction.atomic():
        number()

    def told(caller: Api, scope: str) -> Any:
        answer = caller("GET", f"events/?types=quiz.published&scope={scope}")
        if answer.status_code != 200:
            return answer.headers["Accepted-Permissions"]
        return [event["data"]["quiz"] for event in answer.json()["events"]]

    assert told(keeper, "mine") == [quiz]
    assert told(keeper, "all") == "quizzes:read_all"
    assert told(other, "mine") == [tea["id"]]
    assert told(other, "all") == "quizzes:read_all"
    assert told(boss, "all") == [quiz, tea["id"]]
    # Nothing is theirs any more from the next request on.
    assert boss("PATCH", "accounts/id-keeper/", {"roles": []}).status_code == 200
    assert told(keeper, "mine") == "quizzes:read"
    assert keeper("GET", f"{SHOP}brand/").status_code == 403
