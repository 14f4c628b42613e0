"""Imports and exports through the API and the command."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.permissions import Permission as P
from people.models import Role
from people.tests.conftest import Api, make
from quizzes.authoring.models import Quiz
from quizzes.definition.canonical import canonical, digest
from quizzes.definition.parse import parse
from quizzes.tests.access_authoring import DEFINITION

pytestmark = pytest.mark.django_db

GIFT = "The Nile is in Africa.{T}\n\nWrite an essay.{}\n\nTwo and two are {=four =4}."


def _send(api: Api, path: str, body: Any, kind: str = "text/plain", **headers: str) -> Any:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.client.generic("POST", f"/api/v1/{path}", body, kind, headers=headers)


def test_a_file_becomes_a_quiz_and_comes_back_as_it_was(
    settings: Any, tmp_path: Path, capsys: Any
) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    mask = int(P.QUIZZES_READ | P.QUIZZES_WRITE)
    Role.objects.create(code="maker", name="Maker", permissions=mask)
    ann, eve = Api(make("ann", "maker")), Api(make("eve", "maker"))
    assert ann("POST", "companies/", {"slug": "roastery", "name": "R"}).status_code == 201
    place = "companies/roastery/quizzes/"
    dry = _send(ann, f"{place}import/?format=gift&dry_run=1", GIFT)
    assert (dry.status_code, dry.json()["id"], dry.json()["questions"]) == (200, None, 2)
    assert not Quiz.objects.exists()
    made = [
        _send(ann, f"{place}import/?format=gift&slug=nile", GIFT, Idempotency_Key="k1")
        for _ in range(2)
    ]
    assert [(each.status_code, each.json()) for each in made] == [
        (201, dry.json() | {"id": str(Quiz.objects.get().pk), "slug": "nile"})
    ] * 2
    assert made[1]["Idempotent-Replayed"] == "true"
    assert dry.json()["skipped"] == [
        {"line": 3, "code": "unsupported", "detail": "An essay cannot be imported."}
    ]
    quiz = f"{place}{made[0].json()['id']}/"
    assert ann("POST", f"{quiz}publish/").status_code == 201
    # Our own format is the same bytes, whichever way it goes.
    for query in ("", "?version=1"):
        whole = ann("GET", f"{quiz}export.json{query}").content
        assert canonical(parse(whole)) == whole
        again = _send(ann, f"{place}import/?format=quiz", whole)
        assert again.status_code == 201, again.content
        copied = f"{place}{again.json()['id']}/"
        assert ann("GET", f"{copied}export.json").content == whole
        assert ann("POST", f"{copied}publish/").json()["sha256"] == digest(whole).hex()
        Quiz.objects.filter(pk=again.json()["id"]).update(slug=f"copy{len(query)}")
    # Outsiders find nothing, and faults are told.
    assert _send(eve, f"{place}import/?format=gift", GIFT).status_code == 404
    assert eve("GET", f"{quiz}export.json").status_code == 404
    for query, body, attr in (
        ("format=exe", GIFT, "format"),
        ("format=gift", "", "file"),
        ("format=gift", "essay {}", "file"),
        ("format=gift&dry_run=2", GIFT, "dry_run"),
        ("format=gift&language=a/b", GIFT, "language"),
        ("format=quiz", '{"format": 1}', "questions"),
        ("format=csv", "a;b", None),
        ("format=aiken", "x" * (256 * 1024 + 1), None),
    ):
        answer = _send(ann, f"{place}import/?{query}", body)
        assert answer.status_code == 400, (query, answer.content)
        assert attr in {each["attr"] for each in answer.json()["errors"]}, (query, answer.json())
    file = tmp_path / "quiz.json"
    file.write_text(json.dumps(DEFINITION))
    call_command("import_quiz", str(file), slug="coffee", account="ann", publish=True)
    assert Quiz.objects.get(slug="coffee").version == 1
    assert "1 questions, 0 skipped" in capsys.readouterr().out
    with pytest.raises(CommandError):
        call_command("import_quiz", str(file), slug="coffee", account="ann")
    with pytest.raises(CommandError):
        call_command("import_quiz", str(file), format="gift", account="ann")
