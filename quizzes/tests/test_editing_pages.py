"""The pages on which quizzes are made, without scripts: every step is a form."""

import json
from io import BytesIO
from typing import Any

import pytest
from django.test import Client

from accounts.permissions import Permission as P
from documents import queue
from documents.models import Document
from people.models import Role
from people.tests.conftest import make
from quizzes.authoring.models import Quiz, Version
from quizzes.companies.models import Company
from quizzes.tests.access_authoring import DEFINITION
from quizzes.tests.access_editing import make_result

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _roles(settings: Any, db: None) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    mask = int(P.QUIZZES_READ | P.QUIZZES_WRITE)
    Role.objects.create(code="maker", name="Maker", permissions=mask)


def _client(name: str) -> Client:
    client = Client()
    client.force_login(make(name, "maker"))
    return client


def test_a_quiz_is_made_published_opened_and_read_without_scripts() -> None:
    ann, eve = _client("ann"), _client("eve")
    assert "New company" in ann.get("/quizzes/").text
    made = ann.post("/quizzes/", {"action": "company", "name": "The Roastery"})
    assert made["Location"] == "/quizzes/companies/the-roastery/"
    company = {"company": "the-roastery"}
    refused = ann.post("/quizzes/", {"action": "new", "title": " ", **company})
    assert (refused.status_code, 'href="#title"' in refused.text) == (400, True)
    made = ann.post("/quizzes/", {"action": "new", "title": "Kaffee & Tee?", **company})
    quiz = Quiz.objects.get()
    page = f"/quizzes/{quiz.pk}/"
    assert (quiz.slug, made["Location"]) == ("kaffee-tee", page)
    # Outsiders see nothing of it, as of what does not exist.
    for path in ("", "versions/", "opening/", "results/", "export.json", "preview/"):
        assert eve.get(page + path).status_code == 404, path
        if path in ("", "versions/", "opening/"):
            assert eve.post(page + path, {}).status_code == 404, path
    assert eve.get("/quizzes/companies/the-roastery/").status_code == 404
    assert "Kaffee" not in eve.get("/quizzes/?company=the-roastery").text
    # The JSON form: faults keep what was typed, and so does a conflict.
    broken = ann.post(page, {"definition": '{"half', "revision": quiz.draft_rev})
    assert (broken.status_code, "{&quot;half" in broken.text) == (400, True)
    written = {"definition": json.dumps(DEFINITION), "revision": quiz.draft_rev}
    assert ann.post(page, written)["Location"] == page
    mine = json.dumps({**DEFINITION, "title": {"en": "My own words"}})
    stale = ann.post(page, {"definition": mine, "revision": quiz.draft_rev})
    assert stale.status_code == 412
    assert "My own words" in stale.text
    assert "What is saved now" in stale.text
    # The draft is what the script begins with; a viewer gets no form.
    assert "editor-data" in ann.get(page).text
    # What prevents publishing is told; then it is published, and what changes is told.
    versions = f"{page}versions/"
    assert "for the first time" in ann.get(versions).text
    assert ann.post(versions)["Location"] == versions
    again = {**DEFINITION, "intro": {"en": "Hello"}, "questions": [*DEFINITION["questions"]]}
    again["questions"].append({"key": "why", "type": "text", "title": {"en": "Why so?"}})
    quiz.refresh_from_db()
    ann.post(page, {"definition": json.dumps(again), "revision": quiz.draft_rev})
    told = ann.get(versions).text
    assert "Why so?" in told
    assert "Words before the first question" in told
    quiz.refresh_from_db()
    ann.post(page, {"definition": "{}", "revision": quiz.draft_rev})
    assert (ann.post(versions).status_code, Version.objects.count()) == (400, 1)
    assert "This is missing." in ann.get(versions).text
    assert ann.get(f"{page}preview/")["Location"] == versions
    assert ann.get(f"{page}export.json?version=1").content == (
        Version.objects.get().definition.encode()
    )
    # Opening.
    opening = f"{page}opening/"
    fields = {"state": "closed", "opens_at": "2026-12-01 09:00", "closes_at": "2026-12-24"}
    fields |= {"embed": "https://shop.example\nhttps://b.example/", "arms": "1: 50"}
    fields |= {"max_results": "100", "per_address": "one"}
    assert ann.post(opening, fields)["Location"] == opening
    quiz.refresh_from_db()
    assert (quiz.state, quiz.embed) == ("closed", ["https://shop.example", "https://b.example"])
    assert (quiz.arms, quiz.max_results) == ([{"version": 1, "weight": 50}], 100)
    for wrong in ({"closes_at": "x"}, {"arms": "x"}, {"max_results": "0"}, {"embed": "http://x"}):
        refused = ann.post(opening, {**fields, **wrong})
        name = next(iter(wrong))
        assert (refused.status_code, f'href="#{name}"' in refused.text) == (400, True), wrong
    # Results.
    make_result(quiz)
    results = f"{page}results/"
    assert "Everybody" in ann.get(results).text
    assert "Everybody" in ann.get(f"{results}?version=1&band=all&since=2020-01-01").text
    assert "No result is like this" in ann.get(f"{results}?band=other").text
    assert ann.get(f"{results}?since=x").status_code == 400
    assert "Which roast?" in ann.get(f"{results}{quiz.pk}/").text
    assert f"{results}{quiz.pk}/pdf/" in ann.get(f"{results}{quiz.pk}/").text
    assert eve.get(f"{results}{quiz.pk}/").status_code == 404
    # The PDF is rendered when it is asked for, and the page waits for it.
    assert eve.get(f"{results}{quiz.pk}/pdf/").status_code == 404
    assert not Document.objects.exists()
    assert "is being made" in ann.get(f"{results}{quiz.pk}/pdf/").text
    queue.work()
    file: Any = ann.get(ann.get(f"{results}{quiz.pk}/pdf/")["Location"])
    assert (file.status_code, file["Content-Type"]) == (200, "application/pdf")
    assert b"".join(file.streaming_content).startswith(b"%PDF")


def test_a_company_has_a_brand_and_people_and_takes_files() -> None:
    ann, eve = _client("ann"), _client("eve")
    ann.post("/quizzes/", {"action": "company", "name": "Tea"})
    page = "/quizzes/companies/tea/"
    brand = {"action": "brand", "name": "Tea House", "color": "#123456", "accent": "#1f5c4d"}
    brand |= {"retention_days": "90", "privacy_url": "https://tea.example/privacy"}
    assert ann.post(page, brand)["Location"] == page
    assert Company.objects.get(slug="tea").name == "Tea House"
    refused = ann.post(page, {**brand, "color": "#eeeeee"})
    assert (refused.status_code, "4.5" in refused.text) == (400, True)
    assert ann.post(page, {**brand, "retention_days": "x"}).status_code == 400
    assert ann.post(page, {"action": "member", "member": "nobody"}).status_code == 400
    assert eve.get(page).status_code == 404
    assert ann.post(page, {"action": "member", "member": "eve", "role": "viewer"})
    assert eve.get(page).status_code == 200
    assert eve.post(page, brand).status_code == 403
    file = BytesIO(b"The Nile is in Africa.{T}\n\nAn essay{}\n")
    sent = {"action": "import", "company": "tea", "format": "gift", "file": file}
    answer = ann.post("/quizzes/", sent, follow=True)
    assert "1 questions are in the quiz." in answer.text
    assert "Line 3: An essay cannot be imported." in answer.text
    quiz = Quiz.objects.get()
    # A viewer reads, and gets no form that saves.
    seen = eve.get(f"/quizzes/{quiz.pk}/")
    assert (seen.status_code, "editor-data" in seen.text) == (200, False)
    assert eve.post(f"/quizzes/{quiz.pk}/", {"definition": "{}"}).status_code == 403
    assert eve.get(f"/quizzes/{quiz.pk}/preview/").status_code == 403
    assert ann.post(page, {"action": "leave", "member": "eve"})["Location"] == page
    assert eve.get(page).status_code == 404
    assert ann.post(page, {"action": "leave", "member": "ann"}).status_code == 409
