"""The access to companies and to the quizzes of the company ``shop``."""

from typing import Any

from accounts.models import User
from quizzes.authoring.models import Quiz
from quizzes.authoring.services import quiz_create, quiz_publish
from quizzes.companies.access import shop_company
from tests.access import NO_METHOD, Row, Rows, api

C = "api/v1/companies/<str:company>/"
Q = f"{C}quizzes/"
ONE = f"{Q}<str:id>/"
READ = api(403, author=200, analyst=200, auditor=200, admin=200)
DEFINITION: dict[str, Any] = {
    "format": "shop-quiz/1",
    "languages": ["en"],
    "title": {"en": "Coffee"},
    "bands": [{"key": "all", "from": 0, "title": {"en": "Everybody"}}],
    "settings": {"headline": "band"},
    "questions": [
        {
            "key": "roast",
            "type": "single",
            "title": {"en": "Which roast?"},
            "required": True,
            "options": [
                {"key": "dark", "title": {"en": "Dark"}, "points": 3},
                {"key": "light", "title": {"en": "Light"}, "points": 1},
            ],
        }
    ],
}


def written(status: int, default: int = 403) -> Row:
    """Return the row of what only authors do."""
    return api(default, author=status, admin=status)


def make_quiz(actor: User, slug: str = "coffee") -> Quiz:
    """Return a quiz of the shop that is published and open."""
    quiz = quiz_create(actor=actor, company=shop_company(), slug=slug, definition=DEFINITION)
    quiz_publish(actor=actor, quiz=quiz)
    quiz.refresh_from_db()
    return quiz


def objects(owner: User) -> dict[str, Any]:
    """Return the ids by the prefixes of their routes."""
    return {Q: make_quiz(owner).pk}


API: Rows = {
    "api/v1/companies/": {
        "GET": api(403, author=200, analyst=200, auditor=200, admin=200),
        "POST": written(201),
    },
    f"{C}brand/": {"GET": READ, "POST": NO_METHOD, "PUT": written(200)},
    f"{C}members/": {"GET": READ, "POST": NO_METHOD},
    # The company of the shop has no team.
    f"{C}members/<str:userid>/": {
        "GET": NO_METHOD,
        "POST": NO_METHOD,
        "PUT": written(409),
        "DELETE": written(409),
    },
    Q: {"GET": READ, "POST": written(201)},
    ONE: {"GET": READ, "POST": NO_METHOD, "PATCH": written(200)},
    f"{Q}import/": {"GET": NO_METHOD, "POST": written(201)},
    f"{ONE}export.json": {"GET": READ, "POST": NO_METHOD},
    f"{ONE}draft/": {"GET": READ, "POST": NO_METHOD, "PUT": written(200)},
    f"{ONE}check/": {"GET": NO_METHOD, "POST": READ},
    f"{ONE}publish/": {"GET": NO_METHOD, "POST": written(200)},
    f"{ONE}versions/": {"GET": READ, "POST": NO_METHOD},
    f"{ONE}versions/<str:number>/": {"GET": READ, "POST": NO_METHOD},
}
BODIES: dict[str, Any] = {
    "api/v1/companies/": {"slug": "roastery", "name": "The Roastery"},
    f"PUT {C}brand/": {"color": "#1f5c4d"},
    f"PUT {C}members/<str:userid>/": {"role": "editor"},
    Q: {"slug": "tea", "definition": DEFINITION},
    f"{Q}import/": {**DEFINITION},
    f"PATCH {ONE}": {"state": "closed"},
    f"PUT {ONE}draft/": DEFINITION,
    f"{ONE}check/": {"definition": DEFINITION},
}
