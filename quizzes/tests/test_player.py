"""The player's pages as they are sent, and the plain form, which needs no JavaScript."""

import gzip
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from quizzes.answering.models import Attempt, Result
from quizzes.authoring.models import Quiz
from quizzes.leads.models import Consent, Lead
from quizzes.management.commands.demo_quizzes import SAMPLES
from quizzes.pages import player
from quizzes.pages.player.preview import preview_address
from quizzes.tests.answering import MARK, coffee, publish, texts
from shop.tests.test_style import _modules

pytestmark = pytest.mark.django_db(transaction=True)

PLAYER = "quizzes/player/player.js"
WORKER = Path(player.__file__).parents[2] / "templates/quizzes/player/worker.js"
FORM = {"a.roast": "dark", "a.cups": "7", "a.boil": "94,5", "a.capital": "<b>Here</b>"}


def ticket(page: Any) -> str:
    found = re.search(r'name="attempt" value="([^"]+)"', page.content.decode())
    assert found
    return found[1]


def told(page: Any) -> Any:
    found = re.search(r'id="quiz-data"[^>]*>(.*?)</script>', page.content.decode(), re.DOTALL)
    assert found
    return json.loads(found[1])


def send(client: Client, fields: Any, path: str = "/q/coffee/") -> Any:
    kind = "application/x-www-form-urlencoded"
    return client.post(path, urlencode(fields), content_type=kind, headers={"Origin": "null"})


def test_a_page_is_the_same_for_everybody_and_framed_by_its_origins_only() -> None:
    quiz = publish()
    client = Client(enforce_csrf_checks=True)
    client.cookies.load({"sessionid": "x" * 32, "shop_language": "de", "shop_theme": "dark"})
    for path in (
        "/api/v1/q/coffee/",
        "/q/coffee/",
        "/q/coffee/brand.css",
        "/q/coffee/embed.js",
        "/q/coffee/worker.js",
    ):
        page = client.get(path)
        assert page.status_code == 200, path
        assert not page.cookies, path
        assert "cookie" not in page.get("Vary", "").lower(), path
    page = client.get("/q/coffee/")
    assert page["Referrer-Policy"] == "no-referrer"
    assert page["Content-Language"] == "en"
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]
    assert page["X-Frame-Options"] == "DENY"
    assert MARK not in page.content.decode().lower()
    loaded = re.findall(r'(?:src|href)="(?!\?)([^"]+)"', page.content.decode())
    assert loaded
    assert [each for each in loaded if not each.startswith("/")] == []
    quiz.embed = ["https://shop.example"]
    quiz.save()
    page = client.get("/q/coffee/?embed=1")
    assert "frame-ancestors 'self' https://shop.example;" in page["Content-Security-Policy"] + ";"
    assert "X-Frame-Options" not in page
    assert "<header" not in page.content.decode()
    german = client.get("/q/coffee/", headers={"Accept-Language": "fr, de-AT;q=0.8"})
    assert 'lang="de"' in german.content.decode()
    assert "Weiter" in json.dumps(told(german)["words"]["de"])


def test_what_the_player_loads_is_small() -> None:
    found: dict[str, int] = {}
    _modules(PLAYER, found)
    assert len(found) == 9
    sources = [Path(str(finders.find(name))).read_bytes() for name in found]
    sources.append(WORKER.read_bytes())
    assert sum(len(gzip.compress(source)) for source in sources) <= 40_000


def test_the_plain_form_is_one_attempt_however_often_it_is_sent() -> None:
    quiz = publish()
    client = Client(enforce_csrf_checks=True)
    page = client.get("/q/coffee/")
    given = {**FORM, "attempt": ticket(page)}
    # Nothing is lost by a fault, and nothing is kept of it.
    for wrong, sentence in (("a.roast", "answer this question"), ("a.boil", "Write a number")):
        again = send(client, {**given, wrong: "" if wrong == "a.roast" else "3e2"})
        assert again.status_code == 400
        assert sentence in again.content.decode() or "12.5" in again.content.decode()
        assert "&lt;b&gt;Here&lt;/b&gt;" in again.content.decode()
        assert not Attempt.objects.exists()
    for _ in range(2):
        result = send(client, given)
        assert result.status_code == 200, result.content
        assert f"Espresso {MARK}" in result.content.decode()
        assert "&lt;b&gt;Here&lt;/b&gt;" in result.content.decode()
        assert not result.cookies
    attempt = Attempt.objects.get()
    assert attempt.answers == {"roast": "dark", "cups": 7, "boil": "94.5"}
    assert Result.objects.get().pk == attempt.pk
    # Other answers later show the result that there is.
    assert f"Espresso {MARK}" in send(client, {**given, "a.roast": "none"}).content.decode()
    # A branch that is not on the path counts for nothing.
    other = {**FORM, "a.roast": "none", "attempt": ticket(client.get("/q/coffee/"))}
    assert f"Tea {MARK}" in send(client, other).content.decode()
    assert "cups" not in Result.objects.exclude(pk=attempt.pk).get().answers
    forged = send(client, {**FORM, "attempt": given["attempt"][:-2] + "xx"})
    assert forged.status_code == 400
    assert send(client, {"a.capital": "x" * 70_000}).status_code == 413
    # The form is of the arm that its page had, whatever another page would get.
    publish(coffee(intro=texts("Hello")), arms=[{"version": n, "weight": 1} for n in (1, 2)])
    for _ in range(6):
        arm = send(client, {**FORM, "attempt": ticket(client.get("/q/coffee/"))})
        assert (arm.status_code, "Espresso" in arm.content.decode()) == (200, True)
    # One that was open until its version was gone is shown anew, with what was typed.
    old = {**FORM, "attempt": ticket(client.get("/q/coffee/?v=1"))}
    Quiz.objects.update(arms=[], retired={})
    changed = send(client, old)
    assert (changed.status_code, "has changed since" in changed.content.decode()) == (409, True)
    assert "&lt;b&gt;Here&lt;/b&gt;" in changed.content.decode()
    assert send(client, {**FORM, "attempt": ticket(changed)}).status_code == 200
    # An attempt that has begun is not stopped by the end of the quiz.
    quiz.refresh_from_db()
    quiz.state = Quiz.State.CLOSED
    quiz.save()
    closed = client.get("/q/coffee/")
    assert closed.status_code == 410
    assert send(client, {**FORM, "attempt": ticket(changed)[:-1]}).status_code == 410
    assert told(closed)["version"] is None
    assert told(client.get("/q/coffee/?v=1"))["version"] == 1
    assert client.get("/q/coffee/?v=9").status_code == 404
    assert client.get("/q/nothing/").status_code == 404


def test_the_plain_form_takes_an_address_before_it_shows_the_result() -> None:
    publish(coffee(settings={"headline": "outcome", "contact": "before_result"}))
    client = Client(enforce_csrf_checks=True)
    page = send(client, {**FORM, "attempt": ticket(client.get("/q/coffee/"))})
    assert MARK not in page.content.decode().lower()
    assert " checked" not in page.content.decode()
    consent = re.search(r'name="text.marketing" value="([0-9a-f]{64})"', page.content.decode())
    assert consent
    given = {"attempt": ticket(page), "text.marketing": consent[1], "consent.marketing": "1"}
    wrong = send(client, {**given, "email": "nobody"})
    assert wrong.status_code == 400
    assert MARK not in wrong.content.decode().lower()
    assert "name@example.org" in wrong.content.decode()
    assert send(client, {**given, "email": f"{'ü' * 5_000}@example.org"}).status_code == 400
    for _ in range(2):
        shown = send(client, {**given, "email": "Zoe@example.org"})
        assert shown.status_code == 200
        assert f"Espresso {MARK}" in shown.content.decode()
    assert Lead.objects.count() == Consent.objects.count() == 1


def test_a_preview_shows_the_draft_and_keeps_nothing() -> None:
    quiz = publish()
    quiz.draft = {
        "format": "shop-quiz/1",
        "languages": ["en", "de"],
        "title": texts("A draft"),
        "bands": [{"key": "all", "from": 0, "title": texts("Everybody")}],
        "questions": [
            {"key": "n", "type": "number", "title": texts("How many?"), "required": True}
        ],
    }
    quiz.save()
    client = Client()
    # Without the link nobody knows the draft, not even its title.
    for path in ("", "embed.js", "brand.css", "?v=1"):
        assert b"A draft" not in client.get(f"/q/coffee/{path}").content
    assert b'"Coffee"' in client.get("/q/coffee/embed.js").content
    address = preview_address(quiz)
    page = client.get(address)
    assert told(page)["preview"]
    assert "A draft" in page.content.decode()
    result = send(client, {"a.n": "3"}, address)
    assert "Everybody" in result.content.decode()
    assert send(client, {}, address).status_code == 400
    assert not Attempt.objects.exists()
    assert client.get(f"{address[:-3]}abc").status_code == 404
    quiz.draft = {"format": "shop-quiz/1"}
    quiz.save()
    assert client.get(address).status_code == 400


def test_words_of_the_player_and_numbers_say_their_language() -> None:
    quiz = publish()
    client = Client()
    title = {"ar": "القهوة", "de": "Kaffee"}
    quiz.draft = {
        "format": "shop-quiz/1",
        "languages": ["ar", "de"],
        "title": title,
        "bands": [{"key": "all", "from": 0, "title": title}],
        "questions": [
            {"key": "n", "type": "number", "title": title, "correct": "3", "points": "1.5"}
        ],
    }
    quiz.save()
    address = preview_address(quiz)
    page = client.get(address)
    assert '<html lang="ar" dir="rtl"' in page.text
    assert '<button id="next" data-words lang="en" dir="ltr">See my result</button>' in page.text
    assert told(page)["spoken"] == {"ar": "en", "de": ""}
    shown = send(client, {"a.n": "3"}, address)
    assert ' lang="en" dir="ltr">1.5 of 1.5 points, 100 %<' in shown.text
    german = client.get(f"{address}&lang=de").text
    assert '<button id="next" data-words>Ergebnis ansehen</button>' in german
    shown = send(client, {"a.n": "3"}, f"{address}&lang=de")
    assert ">1,5 von 1,5 Punkten, 100 %<" in shown.text


def test_the_demo_publishes_each_sample_once(capsys: Any) -> None:
    User.objects.create_user("staff", "staff@example.com", "orchid-lamp-42", userid="s")
    for _ in range(2):
        call_command("demo_quizzes")
    assert capsys.readouterr().out.count("Made the demo quiz") == 3
    for path in SAMPLES.glob("*.json"):
        assert Client().get(f"/q/{path.stem}/").status_code == 200
