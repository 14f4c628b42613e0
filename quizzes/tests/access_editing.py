"""The access to the pages on which quizzes are made."""

from typing import Any

from quizzes.answering.models import Attempt, Result
from quizzes.authoring.models import Quiz, Version
from tests.access import NO_METHOD, OPEN_NO_METHOD, Row, Rows, api, page

Q = "quizzes/"
RESULTS = "api/v1/companies/<str:company>/quizzes/<str:id>/results/"
ONE = f"{Q}<uuid:id>/"
SEEN = page(403, author=200, analyst=200, auditor=200, admin=200)


def written(status: int) -> Row:
    """Return the row of a form that only authors send."""
    return page(403, author=status, admin=status)


def make_result(quiz: Quiz) -> None:
    """Finish an attempt, whose id is the quiz's, because the paths of the table have one id."""
    version = Version.objects.get(quiz=quiz)
    whole = {"quiz": quiz, "version": version, "language": "en", "digest": b"0" * 32}
    Attempt.objects.create(id=quiz.pk, rev=1, state="finished", secret_sha256=b"0" * 32, **whole)
    Result.objects.create(
        attempt_id=quiz.pk, points=3, max=3, percent=100, band="all", path=["roast"], **whole
    )


_READ = api(403, author=200, analyst=200, auditor=200, admin=200)
API: Rows = {
    RESULTS: {"GET": _READ, "POST": NO_METHOD},
    f"{RESULTS}<str:rid>/": {"GET": _READ, "POST": NO_METHOD},
}
PAGES: Rows = {
    Q: {"GET": SEEN, "POST": written(302)},
    f"{Q}companies/<str:company>/": {"GET": SEEN, "POST": written(302)},
    ONE: {"GET": SEEN, "POST": written(302)},
    f"{ONE}versions/": {"GET": SEEN, "POST": written(302)},
    f"{ONE}opening/": {"GET": SEEN, "POST": written(302)},
    f"{ONE}preview/": {"GET": page(403, author=302, admin=302), "POST": OPEN_NO_METHOD},
    f"{ONE}results/": {"GET": SEEN, "POST": OPEN_NO_METHOD},
    f"{ONE}results/<uuid:rid>/": {"GET": SEEN, "POST": OPEN_NO_METHOD},
    f"{ONE}results/<uuid:rid>/pdf/": {"GET": SEEN, "POST": OPEN_NO_METHOD},
    f"{ONE}export.json": {"GET": SEEN, "POST": OPEN_NO_METHOD},
}
BODIES: dict[str, Any] = {
    Q: {"action": "new", "company": "shop", "title": "Tea"},
    f"{Q}companies/<str:company>/": {
        "action": "brand",
        "name": "Shop",
        "color": "#1f5c4d",
        "accent": "#1f5c4d",
        "retention_days": "700",
    },
    ONE: {"definition": "{}", "revision": "1"},
    f"{ONE}opening/": {"state": "closed"},
}
