"""Attempts and results: the respondents' API, by its views and by the fast path."""

import asyncio
import json
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import User
from events.models import Outbox
from quizzes.answering.fast import AnsweringMiddleware
from quizzes.answering.models import Attempt, Result
from quizzes.answering.opening import number_for
from quizzes.answering.verifying import CHECKS
from quizzes.authoring.models import Quiz
from quizzes.authoring.services import quiz_change, quiz_publish
from quizzes.events import QUIZ_FINISHED
from quizzes.tests.answering import ANSWERS, MARK, Device, coffee, errors, publish, texts
from shop.core.ids import uuid7

RESULT = {
    "quiz": "coffee",
    "version": 1,
    "language": "en",
    "points": "17.25",
    "max": "20.25",
    "percent": "85.19",
    "band": f"pro_{MARK}",
    "outcome": "espresso",
    "tied_with": [],
    "categories": [{"key": "taste", "title": "Taste", "percent": "100.00", "band": "high"}],
    "item": f"beans {MARK}",
    "pdf": "queued",
    "late": False,
    "contact": "none",
}


def public(slug: str = "coffee", **headers: str) -> Any:
    return Client().get(f"/api/v1/q/{slug}/", headers=headers)


def told() -> int:
    return Outbox.objects.filter(type=QUIZ_FINISHED.number).count()


def broken() -> list[str]:
    return [line for check in CHECKS for line in check.find_broken(print)]


@pytest.mark.django_db
def test_public_definition_tells_nothing_of_results() -> None:
    definition = coffee()
    for question in definition["questions"]:
        question["weight"] = "7.125"
    publish(definition)
    answer = public()
    assert answer.status_code == 200
    body = answer.content.decode()
    # No planted text, no points, no weight, no right answer with its tolerance.
    for secret in (MARK, MARK.upper(), "3.125", "7.125", "93.517", "1.5", "tolerance", "correct"):
        assert secret not in body
    shown = answer.json()
    assert [one["key"] for one in shown["definition"]["questions"]] == list(ANSWERS)
    assert shown["definition"]["questions"][1]["show_if"] == {
        "all": [{"q": "roast", "not": ["none"]}]
    }
    assert (shown["version"], shown["company"]["name"]) == (1, "Roasters")
    again = public(**{"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert not answer.cookies
    assert public("nothing").status_code == 404
    Quiz.objects.update(state="closed")
    assert (public().status_code, errors(public())) == (410, [("quiz_closed", None)])
    publish(slug="later", opens_at=timezone.now() + timedelta(hours=1))
    assert public("later").status_code == 410


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fast", [False, True])
def test_saves_and_finish(fast: bool) -> None:
    publish()
    # The fast path takes what this process has read before.
    Device().save({})
    device = Device(fast=fast)
    first = device.save({"roast": "none"}, at="boil", times={"roast": 1200}, source={"ref": "mail"})
    assert (first.status_code, first.json()) == (
        201,
        {"id": str(device.id), "rev": 1, "state": "open", "path_length": 4},
    )
    body = {"rev": 2, "version": 1, "language": "de", "answers": ANSWERS, "test": False}
    assert [device.put(body).status_code for _ in range(2)] == [200, 200]
    stale = device.put({**body, "rev": 1})
    assert (stale.status_code, errors(stale)) == (409, [("stale_revision", None)])
    other = device.put({**body, "answers": {}})
    assert (other.status_code, errors(other)) == (409, [("revision_conflict", None)])
    stranger = Device(fast=fast)
    stranger.id = device.id
    assert stranger.save().status_code == stranger.finish(rev=9).status_code == 404
    attempt = Attempt.objects.get(pk=device.id)
    assert attempt.rev == 2
    assert attempt.source == {"ref": "mail"}
    # What respondents write themselves is sealed.
    assert "capital" not in attempt.answers
    assert MARK not in attempt.private
    state = device.get().json()
    assert state["answers"] == {**ANSWERS, "boil": "94.5"}
    assert (state["rev"], state["language"], state["path_length"]) == (2, "de", 5)

    device.rev = 2
    assert errors(device.get("result/")) == [("not_ready", None)]
    missing = device.finish({"boil": "1"}, rev=3)
    assert (missing.status_code, errors(missing)) == (400, [("required", "answers.roast")])
    assert errors(device.finish({"roast": "none"})) == [("revision_conflict", None)]
    assert errors(device.finish(rev=1)) == [("stale_revision", None)]
    done = device.finish()
    result = done.json()
    assert done.status_code == 201
    taste = {"key": "taste", "title": "Taste (de)", "percent": "100.00", "band": "high"}
    german = {"language": "de", "categories": [taste]}
    assert {name: result[name] for name in RESULT} == RESULT | german
    assert result["headline"]["title"] == f"Espresso {MARK} (de)"
    words = [part["text"] for part in result["headline"]["text"][0]["children"][1:]]
    assert words == [" 85,19 for  (de)"]
    assert [(one["answer"], one["correct"]) for one in result["answers"]] == [
        ("Option dark (de)", None),
        ("7", None),
        ("94,5", True),
        (f"addis  {MARK}", True),
        ("Option milk (de)", None),
    ]
    again = device.finish()
    assert (again.status_code, again.content) == (200, done.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert errors(device.finish({"roast": "none"}, rev=9)) == [("already_finished", None)]
    assert errors(device.put({**body, "rev": 9})) == [("already_finished", None)]
    assert device.get("result/").json() == result
    assert device.get("result/", secret="A" * 43).status_code == 404
    assert device.get(secret="short").status_code == 401
    assert device.get().json()["state"] == "finished"
    assert (told(), Quiz.objects.get().finished) == (1, 1)
    assert broken() == []


@pytest.mark.django_db
def test_refused_requests() -> None:
    publish()
    device = Device()
    body: dict[str, Any] = {"rev": 1, "version": 1, "language": "en", "answers": {}}
    cases: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
        ({"points": 3}, [("unknown_field", "points")]),
        ({"rev": 0}, [("invalid", "rev")]),
        ({"version": 2}, [("invalid", "version")]),
        ({"language": "fr"}, [("invalid", "language")]),
        ({"at": "x"}, [("unknown_question", "at")]),
        ({"times": {"roast": -1}}, [("invalid", "times")]),
        ({"source": {"ref": "a\u0000"}}, [("invalid", "source.ref")]),
        (
            {"answers": {"roast": "light", "cups": 11, "boil": "3e2", "what": 1}},
            [
                ("unknown_question", "answers.what"),
                ("unknown_option", "answers.roast"),
                ("out_of_range", "answers.cups"),
                ("invalid", "answers.boil"),
            ],
        ),
    ]
    for change, wanted in cases:
        answer = device.put({**body, **change})
        assert (answer.status_code, errors(answer)) == (400, wanted)
    # Sorting the marks of one letter would hold up everybody for seconds.
    started = time.process_time()
    marked = device.put({**body, "answers": {"capital": "a" + "\u0301\u0323" * 10_000}})
    assert errors(marked) == [("invalid", "answers.capital")]
    assert time.process_time() - started < 0.3
    assert device.put({**body, "answers": {"boil": 94.25}}).status_code == 201
    assert device.get().json()["answers"] == {"boil": "94.25"}
    for name in ("points", "band", "outcome", "finished_at", "company", "coupon"):
        answer = device.send("POST", "finish/", {"rev": 1, "answers": ANSWERS, name: "x"})
        assert errors(answer) == [("unknown_field", name)]
    assert Device(slug="other").save().status_code == 404
    device.slug = "other"
    publish(slug="other")
    # An attempt is one of its own quiz only.
    assert device.save(version=1).status_code == 404
    assert device.get().status_code == 404
    assert device.finish(rev=9).status_code == 404
    no_secret = Client().put(device.path(), body, content_type="application/json")
    assert no_secret.status_code == 401


@pytest.mark.django_db
def test_result_stays_that_of_its_version() -> None:
    publish()
    done, going = Device(), Device()
    done.save()
    going.save()
    result = done.finish().json()
    changed = coffee()
    changed["questions"][0]["options"][0] |= {"points": 0, "title": texts("Renamed")}
    changed["questions"] = changed["questions"][:2]
    publish(changed)
    assert done.get("result/").json() == result
    assert public().json()["version"] == 2
    assert errors(going.save({"roast": "none"}, version=2)) == [("invalid", "version")]
    assert going.finish(rev=2).json()["percent"] == result["percent"]
    later = Device()
    later.save({"roast": "dark", "cups": 7}, version=2)
    assert later.finish({"roast": "dark", "cups": 7}).json()["percent"] == "70.00"
    assert broken() == []
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE quizzes_result DISABLE TRIGGER append_only")
        cursor.execute(
            "UPDATE quizzes_result SET points = points + 1 WHERE attempt_id = %s", [done.id]
        )
        cursor.execute("ALTER TABLE quizzes_result ENABLE TRIGGER append_only")
    assert [str(done.id) in line for line in broken()] == [True]


@pytest.mark.django_db
def test_branch_that_was_left_is_nowhere() -> None:
    publish()
    device = Device()
    left = {**ANSWERS, "roast": "none"}
    device.save(left)
    assert device.get().json()["answers"]["cups"] == 7
    result = device.finish(left).json()
    assert result["points"] == "4"
    assert [one["key"] for one in result["answers"]] == ["roast", "boil", "capital", "with"]
    row = Result.objects.get()
    assert (row.path, "cups" in row.answers) == (["roast", "boil", "capital", "with"], False)
    assert row.answers["capital"] is True


@pytest.mark.django_db
def test_closed_quiz_lets_those_end_who_began() -> None:
    publish()
    early, old = Device(), Device()
    early.save()
    old.save()
    Attempt.objects.filter(pk=old.id).update(started_at=timezone.now() - timedelta(hours=25))
    Quiz.objects.update(state="closed")
    assert (Device().save().status_code, early.save().status_code) == (410, 200)
    assert early.finish().json()["late"] is True
    assert (old.save().status_code, old.finish(rev=9).status_code) == (410, 410)
    assert early.finish().status_code == 200
    Quiz.objects.update(state="open", closes_at=timezone.now() - timedelta(hours=23))
    assert (Device().save().status_code, old.save().status_code) == (410, 200)
    Quiz.objects.update(closes_at=timezone.now() - timedelta(hours=25))
    assert (old.save().status_code, old.finish(rev=9).status_code) == (410, 410)


@pytest.mark.django_db
def test_an_attempt_begins_with_what_is_published_now_or_was_within_a_day() -> None:
    boss = User.objects.create(username="boss")
    quiz = publish()
    began = Device()
    began.save()
    changed = coffee()
    changed["questions"][0]["title"] = texts("Renamed")
    Quiz.objects.update(draft=changed)
    assert quiz_publish(actor=boss, quiz=quiz).version.number == 2
    assert Device().save(version=2).status_code == 201
    # A page that was open may begin for a day.
    assert Device().save().status_code == 201
    Quiz.objects.update(retired={"1": (timezone.now() - timedelta(hours=25)).isoformat()})
    late = Device().save()
    assert (late.status_code, errors(late)) == (409, [("quiz_changed", None)])
    assert began.save().status_code == 200
    assert began.finish().status_code == 201
    # An arm is live as long as it is one, and then for a day.
    quiz_change(actor=boss, quiz=quiz, changes={"arms": [{"version": 1, "weight": 1}]})
    assert (Device().save().status_code, Quiz.objects.get().retired) == (201, {})
    quiz_change(actor=boss, quiz=quiz, changes={"arms": []})
    assert (Device().save().status_code, [*Quiz.objects.get().retired]) == (201, ["1"])
    # Its content published again makes it the one of new attempts.
    Quiz.objects.update(draft=coffee())
    assert quiz_publish(actor=boss, quiz=quiz).version.number == 1
    assert [*Quiz.objects.get().retired] == ["2"]
    Quiz.objects.update(state="closed", retired={})
    assert errors(Device().save(version=2)) == [("quiz_closed", None)]


@pytest.mark.django_db
def test_limit_of_results_previews_and_gate() -> None:
    definition = coffee(settings={"headline": "band", "contact": "before_result"})
    publish(definition, max_results=1)
    preview, first, second = Device(), Device(), Device()
    for device in (preview, first, second):
        device.save(test=device is preview)
    assert preview.finish().status_code == 201
    assert (told(), Quiz.objects.get().finished) == (0, 0)
    gated = first.finish()
    assert gated.status_code == 201
    # Nothing of the result but figures before there is an address.
    assert MARK not in gated.content.decode()
    assert {gated.json()[name] for name in ("band", "outcome")} == {None}
    assert {each["band"] for each in gated.json()["categories"]} == {None}
    assert (gated.json()["percent"], gated.json()["headline"]) == ("85.19", None)
    assert errors(first.get("result/")) == [("contact_required", None)]
    assert (second.finish().status_code, told()) == (410, 1)


@pytest.mark.django_db(transaction=True)
def test_hundred_finishes_at_once_give_one_result() -> None:
    publish()
    device = Device()
    device.save()
    body = {"rev": 1, "answers": ANSWERS}

    async def storm() -> list[Any]:
        # Two processes, one of which has its own threads.
        apps = [AnsweringMiddleware(None), AnsweringMiddleware(None)]  # type: ignore[arg-type]
        sends = [device.send_fast(apps[n % 2], "POST", "finish/", body) for n in range(100)]
        return await asyncio.gather(*sends)

    answers = async_to_sync(storm)()
    assert Counter(one.status_code for one in answers) == {201: 1, 200: 99}
    assert len({one.content for one in answers}) == 1
    assert (Result.objects.count(), told(), Quiz.objects.get().finished) == (1, 1, 1)
    assert device.get().json()["answers"] == json.loads(json.dumps({**ANSWERS, "boil": "94.5"}))


@pytest.mark.django_db
def test_nothing_but_the_definition_may_be_kept_by_caches() -> None:
    publish()
    device = Device()
    answers = [device.save(), device.get(), device.finish(), device.get("result/")]
    assert {one.headers["Cache-Control"] for one in answers} == {"private, no-store"}
    assert public().headers["Cache-Control"] == "no-cache"
    assert not any(one.cookies for one in answers)


def test_arms_divide_attempts_by_their_weights_and_for_good() -> None:
    arms = [{"version": 1, "weight": 1}, {"version": 3, "weight": 3}]
    ids = [uuid7() for _ in range(2000)]
    found = [number_for(5, arms, id) for id in ids]
    assert found == [number_for(5, arms, id) for id in ids]
    assert 1350 < found.count(3) < 1650
    assert found.count(1) + found.count(3) == 2000
    assert {number_for(5, [], ids[0]), number_for(5, arms, None)} == {5}
