"""The access to the funnel, to views, and to challenges."""

from typing import Any

from quizzes.tests.access_authoring import ONE, READ
from quizzes.tests.access_editing import SEEN
from tests.access import NO_METHOD, OPEN, OPEN_NO_METHOD, Rows

RESPONDENT = "api/v1/q/<str:slug>/"

API: Rows = {
    f"{ONE}funnel/": {"GET": READ, "POST": NO_METHOD},
    f"{RESPONDENT}views/": {"GET": OPEN_NO_METHOD, "POST": {"default": 204}},
    f"{RESPONDENT}challenge/": {"GET": OPEN, "POST": OPEN_NO_METHOD},
}
PAGES: Rows = {"quizzes/<uuid:id>/funnel/": {"GET": SEEN, "POST": OPEN_NO_METHOD}}
BODIES: dict[str, Any] = {f"{RESPONDENT}views/": {"ref": "newsletter"}}
