"""The access to the pages on which quizzes are made."""

from typing import Any

from tests.access import OPEN_NO_METHOD, Row, Rows, page

Q = "quizzes/"
ONE = f"{Q}<uuid:id>/"
SEEN = page(403, author=200, analyst=200, auditor=200, admin=200)


def written(status: int) -> Row:
    """Return the row of a form that only authors send."""
    return page(403, author=status, admin=status)


PAGES: Rows = {
    Q: {"GET": SEEN, "POST": written(302)},
    f"{Q}companies/<str:company>/": {"GET": SEEN, "POST": written(302)},
    ONE: {"GET": SEEN, "POST": written(302)},
    f"{ONE}versions/": {"GET": SEEN, "POST": written(302)},
    f"{ONE}opening/": {"GET": SEEN, "POST": written(302)},
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
