"""Companies, their people and their quizzes, through the API."""

import copy
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from accounts.models import User
from accounts.permissions import Permission as P
from events.models import Outbox
from people.folding import fold
from people.models import Membership, Role
from people.tests.conftest import Api, make
from quizzes.authoring.models import Version
from quizzes.companies.models import Company
from quizzes.events import QUIZ_PUBLISHED
from quizzes.tests.access_authoring import DEFINITION
from quizzes.tests.access_leads import make_lead

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _roles(settings: Any, db: None) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    mask = P.QUIZZES_READ | P.QUIZZES_WRITE
    Role.objects.create(code="maker", name="Maker", permissions=int(mask))
    Role.objects.create(code="looker", name="Looker", permissions=int(P.QUIZZES_READ))


def company(owner: Api, slug: str = "roastery") -> str:
    answer = owner("POST", "companies/", {"slug": slug, "name": slug.title()})
    assert answer.status_code == 201, answer.content
    return f"companies/{slug}/"


def made(owner: Api, place: str, slug: str = "coffee", definition: Any = DEFINITION) -> str:
    body = {"slug": slug, "definition": definition}
    answer = owner("POST", f"{place}quizzes/", body)
    assert answer.status_code == 201, answer.content
    assert answer.json()["url"] == f"/q/{slug}/"
    assert (answer.json()["state"], answer.json()["version"]) == ("draft", None)
    return f"{place}quizzes/{answer.json()['id']}/"


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


def found_by(user: User) -> list[str]:
    """Return the leads with an address that the search shows somebody."""
    client = Client()
    client.force_login(user)
    answer = client.get("/search/?q=lead@example.org", headers={"Accept": "application/json"})
    return [hit["url"] for hit in answer.json()["hits"]]


def test_two_companies_are_nothing_to_each_other_and_roles_hold() -> None:
    ann, bob, eve = (Api(make(name, "maker")) for name in ("ann", "bob", "eve"))
    look, reader = Api(make("look", "looker")), Api(make("reader", "analyst"))
    ours, theirs = company(ann), company(bob, "tea-house")
    quiz = made(ann, ours)
    assert ann("POST", f"{quiz}publish/").status_code == 201
    # Both get the same answer as for a company or a quiz that does not exist.
    for path in (f"{ours}brand/", f"{ours}members/", f"{ours}quizzes/", quiz, f"{quiz}draft/"):
        assert bob("GET", path).status_code == 404
    for path in ("check/", "publish/"):
        assert bob("POST", quiz + path, {}).status_code == 404
    assert bob("PUT", f"{quiz}draft/", DEFINITION).status_code == 404
    assert bob("GET", quiz.replace("roastery", "tea-house")).status_code == 404
    assert bob("GET", f"{quiz}versions/1/").status_code == 404
    assert bob("GET", "companies/shop/brand/").status_code == 404
    assert reader("GET", quiz).status_code == 200
    # Roles, which the owner gives; who only reads has no more than a viewer's.
    assert ann("PUT", f"{ours}members/id-eve/", {"role": "viewer"}).status_code == 200
    assert ann("PUT", f"{ours}members/id-look/", {"role": "owner"}).status_code == 200
    assert eve("GET", f"{quiz}draft/").json() == DEFINITION
    assert eve("PUT", f"{quiz}draft/", DEFINITION).status_code == 403
    assert look("PUT", f"{quiz}draft/", DEFINITION).status_code == 403
    assert ann("PUT", f"{ours}members/id-eve/", {"role": "editor"}).status_code == 200
    assert eve("PUT", f"{quiz}draft/", DEFINITION).status_code == 200
    assert eve("PUT", f"{ours}brand/", {}).status_code == 403
    assert eve("DELETE", f"{ours}members/id-ann/").status_code == 403
    listed = ann("GET", f"{ours}members/").json()["results"]
    assert {each["userid"]: each["role"] for each in listed} == {
        "id-ann": "owner",
        "id-eve": "editor",
        "id-look": "owner",
    }
    # Who may not read quizzes does not find their leads, member or not.
    lead = make_lead("lead@example.org", Company.objects.get(slug="roastery"))
    assert found_by(eve.user) == found_by(ann.user) == [f"/quizzes/leads/roastery/{lead.pk}/"]
    assert found_by(bob.user) == []
    for roles, leads in (([], 0), (["maker"], 1)):
        User.objects.filter(pk=eve.user.pk).update(roles=roles)
        fold([eve.user.pk])
        assert len(found_by(eve.user)) == leads
    # Leaving the team, whoever does it, ends everything at once.
    Membership.objects.filter(user=look.user).delete()
    assert look("GET", quiz).status_code == 404
    assert code(ann("PUT", f"{ours}members/id-ann/", {"role": "viewer"})) == (409, "last_owner")
    assert code(ann("DELETE", f"{ours}members/id-ann/")) == (409, "last_owner")
    assert ann("DELETE", f"{ours}members/id-eve/").status_code == 204
    assert eve("GET", quiz).status_code == 404
    assert [each["slug"] for each in ann("GET", "companies/").json()["results"]] == ["roastery"]
    assert code(ann("POST", "companies/", {"slug": "shop", "name": "x"})) == (409, "slug_taken")
    assert code(ann("POST", f"{theirs}quizzes/", {})) == (404, "not_found")
    other = bob("POST", f"{theirs}quizzes/", {"slug": "coffee", "definition": {}})
    assert code(other) == (409, "slug_taken")


def test_a_brand_can_be_read_and_is_checked() -> None:
    ann = Api(make("ann", "maker"))
    place = f"{company(ann)}brand/"
    faulty: dict[str, Any] = {
        "color": "#ffee00",
        "accent": "red",
        "privacy_url": "http://x",
        "reply_to": "nobody",
    }
    faulty |= {"logo": "data:image/svg+xml;base64,AAAA", "retention_days": 0}
    answer = ann("PUT", place, faulty)
    assert answer.status_code == 400
    assert {each["attr"] for each in answer.json()["errors"]} == set(faulty)
    assert code(ann("PUT", place, {"colour": "#000000"})) == (400, "unknown_field")
    brand = {"name": "Röstwerk", "color": "#1f5c4d", "privacy_url": "https://x.example/p"}
    assert ann("PUT", place, brand).status_code == 200
    assert ann("GET", place).json().items() >= brand.items()


def test_drafts_are_anything_and_versions_never_change() -> None:
    ann = Api(make("ann", "maker"))
    place = company(ann)
    quiz = made(ann, place, definition={"format": "shop-quiz/1"})
    assert code(ann("PATCH", quiz, {"state": "open"})) == (409, "not_published")
    first = ann("GET", f"{quiz}draft/")
    assert (first.json(), first["ETag"]) == ({"format": "shop-quiz/1"}, '"1"')
    refused = ann("POST", f"{quiz}publish/")
    assert refused.status_code == 400
    assert {"languages", "title", "questions"} <= {e["attr"] for e in refused.json()["errors"]}
    saved = ann("PUT", f"{quiz}draft/", DEFINITION, If_Match='"1"')
    assert (saved.status_code, saved["ETag"]) == (200, '"2"')
    assert code(ann("PUT", f"{quiz}draft/", {}, If_Match='"1"')) == (412, "draft_changed")
    assert code(ann("PUT", f"{quiz}draft/", [])) == (400, "invalid")
    assert code(ann("PUT", f"{quiz}draft/", {"a": "\x00"})) == (400, "invalid")
    assert code(ann("PUT", f"{quiz}draft/", {"a": "x" * 300_000})) == (400, "too_large")
    deep: Any = {}
    for _ in range(300):
        deep = {"all": [deep]}
    assert code(ann("PUT", f"{quiz}draft/", deep)) == (400, "too_deep")
    told = ann("POST", f"{quiz}check/", {"definition": {"questions": [{}] * 50_000}}).json()
    assert len(told["errors"]) == 100
    many = {**DEFINITION, "languages": [f"{a}{b}" for a in "abcdef" for b in "abcdef"]}
    options = [{"key": f"k{n}", "title": {}} for n in range(5000)]
    many["questions"] = [{**DEFINITION["questions"][0], "options": options}]
    told = ann("POST", f"{quiz}check/", {"definition": many}).json()
    assert len(told["errors"]) == 1000
    assert ann("POST", f"{quiz}check/").json()["errors"] == []
    broken = copy.deepcopy(DEFINITION)
    broken["questions"][0]["options"][1]["key"] = "dark"
    found = ann("POST", f"{quiz}check/", {"definition": broken}).json()["errors"]
    assert [each["attr"] for each in found] == ["questions.0.options.1.key"]
    # Published; the second time is the same version.
    one = ann("POST", f"{quiz}publish/")
    assert (one.status_code, one.json()["version"]) == (201, 1)
    again = ann("POST", f"{quiz}publish/")
    assert (again.status_code, again.json()) == (200, one.json())
    assert ann("GET", quiz).json()["state"] == "open"
    shown = ann("GET", f"{quiz}versions/1/")
    assert "immutable" in shown["Cache-Control"]
    # A key keeps its type, and the first version stays what it was.
    changed = copy.deepcopy(DEFINITION)
    changed["questions"][0] = {"key": "roast", "type": "text", "title": {"en": "Which?"}}
    ann("PUT", f"{quiz}draft/", changed)
    refused = ann("POST", f"{quiz}publish/")
    assert "questions.0.type" in {e["attr"] for e in refused.json()["errors"]}, refused.content
    changed = copy.deepcopy(DEFINITION)
    changed["title"]["en"] = "Tea"
    ann("PUT", f"{quiz}draft/", changed)
    assert ann("POST", f"{quiz}publish/").json()["version"] == 2
    assert ann("GET", f"{quiz}versions/1/").content == shown.content
    # Back to what version 1 was.
    ann("PUT", f"{quiz}draft/", DEFINITION)
    back = ann("POST", f"{quiz}publish/")
    assert (back.status_code, back.json()) == (200, one.json())
    numbers = [v["version"] for v in ann("GET", f"{quiz}versions/").json()["results"]]
    assert (numbers, ann("GET", quiz).json()["version"]) == ([2, 1], 1)
    for change in ({"definition": "{}"}, {"scorer": 2}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Version.objects.update(**change)
    assert Outbox.objects.filter(type=QUIZ_PUBLISHED.number).count() == 3


def test_a_quiz_is_opened_closed_and_limited() -> None:
    ann = Api(make("ann", "maker"))
    quiz = made(ann, company(ann))
    ann("POST", f"{quiz}publish/")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"state": "draft"}, "state"),
        ({"embed": ["https://shop.example/path"]}, "embed.0"),
        ({"embed": ["http://shop.example"]}, "embed.0"),
        ({"embed": ["https://shop.example; script-src *"]}, "embed.0"),
        ({"embed": ["https://*.example"]}, "embed.0"),
        ({"arms": [{"version": 9, "weight": 1}]}, "arms.0.version"),
        ({"arms": [{"version": 1, "weight": 1}] * 2}, "arms"),
        ({"opens_at": "2027-01-02T00:00Z", "closes_at": "2027-01-01T00:00Z"}, "closes_at"),
        ({"points": 3}, "points"),
    ]
    for body, attr in wrong:
        answer = ann("PATCH", quiz, body)
        assert answer.status_code == 400, body
        assert answer.json()["errors"][0]["attr"] == attr, (body, answer.content)
    changes = {
        "state": "closed",
        "embed": ["https://Shop.Example", "https://münchen.example:8443", "https://shop.example/"],
        "arms": [{"version": 1, "weight": 2}],
        "max_results": 10,
        "per_address": "one",
    }
    answer = ann("PATCH", quiz, changes)
    assert answer.status_code == 200, answer.content
    origins = ["https://shop.example", "https://xn--mnchen-3ya.example:8443"]
    assert answer.json().items() >= (changes | {"embed": origins}).items()
