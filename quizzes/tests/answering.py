"""Published quizzes for tests, and a respondent's device."""

import asyncio
import json
import os
from base64 import urlsafe_b64encode
from io import BytesIO
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from django.test import Client

from quizzes.answering.fast import AnsweringMiddleware
from quizzes.authoring.models import Quiz, Version
from quizzes.companies.models import Company
from quizzes.definition.canonical import canonical, digest
from quizzes.definition.parse import parse
from shop.core.ids import uuid7

MARK = "zebra"
"""In every text that no respondent may know before the end."""


def texts(text: str) -> dict[str, str]:
    return {"en": text, "de": f"{text} (de)"}


def option(key: str, points: Any = 0, **more: Any) -> dict[str, Any]:
    return {"key": key, "title": texts(f"Option {key}"), "points": points, **more}


def coffee(**more: Any) -> dict[str, Any]:
    """Return a definition with each type of question, and a branch."""
    return {
        "format": "shop-quiz/1",
        "languages": ["en", "de"],
        "title": texts("Coffee"),
        "settings": {"headline": "outcome", "reveal": "result"},
        "categories": [
            {
                "key": "taste",
                "title": texts("Taste"),
                "bands": [{"key": "low", "from": 0}, {"key": "high", "from": 60}],
            }
        ],
        "outcomes": [
            {
                "key": "espresso",
                "title": texts(f"Espresso {MARK}"),
                "text": texts(f"**{MARK}** {{{{percent}}}} for {{{{name}}}}"),
                "item": f"beans {MARK}",
            },
            {"key": "tea", "title": texts(f"Tea {MARK}"), "text": texts(MARK)},
        ],
        "fallback": "espresso",
        "bands": [
            {"key": f"beginner_{MARK}", "from": 0, "title": texts(f"Beginner {MARK}")},
            {"key": f"pro_{MARK}", "from": "70.5", "title": texts(f"Pro {MARK}")},
        ],
        "questions": [
            {
                "key": "roast",
                "type": "single",
                "title": texts("Roast?"),
                "required": True,
                "weight": 2,
                "categories": ["taste"],
                "options": [
                    option("dark", "3.125", outcomes={"espresso": 2}, excludes=["tea"]),
                    option("none", outcomes={"tea": 1}),
                ],
            },
            {
                "key": "cups",
                "type": "scale",
                "from": 0,
                "to": 10,
                "title": texts("Cups?"),
                "required": True,
                "show_if": {"all": [{"q": "roast", "not": ["none"]}]},
            },
            {
                "key": "boil",
                "type": "number",
                "title": texts("Degrees?"),
                "correct": "93.517",
                "tolerance": "1.5",
                "points": 2,
            },
            {
                "key": "capital",
                "type": "text",
                "title": texts("Capital?"),
                "correct": [f"Addis {MARK}"],
                "points": 1,
            },
            {
                "key": "with",
                "type": "multiple",
                "title": texts("With?"),
                "options": [option("milk", 1), option("sugar", -1)],
            },
        ],
        "contact": {"consents": [{"key": "marketing", "text": texts("Write to me")}]},
        "result": {
            "blocks": [
                {"when": {"band": [f"pro_{MARK}"]}, "text": texts(f"Pro {MARK}")},
                {"when": {"category": "taste", "band": ["low"]}, "text": texts(f"Low {MARK}")},
            ],
            "coupon": MARK.upper(),
        },
        **more,
    }


def publish(definition: Any = None, *, slug: str = "coffee", **fields: Any) -> Quiz:
    """Return the quiz of this name with one more published version."""
    company, _ = Company.objects.get_or_create(slug="roasters", defaults={"name": "Roasters"})
    data = canonical(parse(definition or coffee()))
    quiz = Quiz.objects.filter(slug=slug).first() or Quiz(slug=slug, company=company, draft={})
    quiz.state, quiz.version = Quiz.State.OPEN, (quiz.version or 0) + 1
    for name, value in fields.items():
        setattr(quiz, name, value)
    quiz.save()
    Version.objects.create(
        quiz=quiz,
        number=quiz.version,
        definition=data.decode(),
        sha256=digest(data),
        scorer=1,
    )
    quiz.refresh_from_db()
    return quiz


ANSWERS: dict[str, Any] = {
    "roast": "dark",
    "cups": 7,
    "boil": "94.50",
    "capital": f"addis  {MARK}",
    "with": ["milk"],
}


class Device:
    """A respondent's device, in front of the views or of the fast path."""

    def __init__(self, *, slug: str = "coffee", fast: bool = False) -> None:
        self.id: UUID = uuid7()
        self.secret = urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
        self.slug = slug
        self.fast = fast
        self.rev = 0

    def save(self, answers: Any = None, *, version: int = 1, **more: Any) -> Any:
        """Save the answers under the next ``rev``."""
        self.rev += 1
        return self.put(
            {
                "rev": self.rev,
                "version": version,
                "language": "en",
                "answers": ANSWERS if answers is None else answers,
                **more,
            }
        )

    def put(self, body: Any) -> Any:
        return self.send("PUT", "", body)

    def finish(self, answers: Any = None, rev: int = 0) -> Any:
        body = {"rev": rev or self.rev, "answers": ANSWERS if answers is None else answers}
        return self.send("POST", "finish/", body)

    def path(self, more: str = "") -> str:
        return f"/api/v1/q/{self.slug}/attempts/{self.id}/{more}"

    def get(self, more: str = "", secret: str = "") -> Any:
        return Client().get(
            self.path(more), headers={"Authorization": f"Attempt {secret or self.secret}"}
        )

    def send(self, method: str, more: str, body: Any) -> Any:
        if self.fast:
            return async_to_sync(self.send_fast)(AnsweringMiddleware(_no_app), method, more, body)
        return Client().generic(
            method,
            self.path(more),
            json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Attempt {self.secret}"},
        )

    async def send_fast(self, app: Any, method: str, more: str, body: Any) -> "Answer":
        """Return the answer of the fast path; fail where it hands the request on."""
        data = json.dumps(body).encode()
        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": self.path(more),
            "query_string": b"",
            "client": ("127.0.0.1", 1),
            "headers": [
                (b"host", b"localhost"),
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(data)),
                (b"authorization", f"Attempt {self.secret}".encode()),
            ],
            "shop.body": BytesIO(data),
            "shop.size": len(data),
        }
        answer = Answer()
        await app(scope, asyncio.Event().wait, answer.receive)
        return answer


class Answer:
    """What the fast path answers, read as Django's test client has it."""

    status_code = 0
    content = b""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    async def receive(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status_code = message["status"]
            self.headers = {
                name.decode().title(): value.decode() for name, value in message["headers"]
            }
        else:
            self.content += message["body"]

    def json(self) -> Any:
        return json.loads(self.content)


async def _no_app(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError(f"{scope['path']} was handed to Django.")


def errors(answer: Any) -> list[tuple[str, str | None]]:
    """Return code and place of each error of an answer."""
    return [(one["code"], one["attr"]) for one in answer.json()["errors"]]
