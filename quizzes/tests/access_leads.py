"""The access to leads, and to what respondents do about them."""

from typing import Any

from accounts.models import User
from quizzes.answering.models import Attempt, Result
from quizzes.authoring.models import Quiz, Version
from quizzes.companies.access import shop_company
from quizzes.companies.models import Company
from quizzes.leads.models import Lead
from quizzes.leads.sealing import closed, index_of, new_key
from quizzes.tests.access_answering import NO_SECRET
from quizzes.tests.access_answering import ONE as ATTEMPT
from quizzes.tests.access_authoring import READ, written
from shop.core.ids import uuid7
from tests.access import NO_METHOD, OPEN_NO_METHOD, Rows, page

LEADS = "api/v1/companies/<str:company>/leads/"
PAGES_OF_LEADS = "quizzes/leads/"
RESULT = "<str:result>"
RESULT_PDF = f"api/v1/companies/<str:company>/quizzes/<str:id>/results/{RESULT}/pdf/"
READ_PAGE = page(403, author=200, analyst=200, auditor=200, admin=200)
WRONG_TOKEN = {"default": 404}


def make_lead(address: str = "lead@example.org", company: Company | None = None) -> Lead:
    """Return a lead of a company, else of the shop."""
    company, id = company or shop_company(), uuid7()
    key, sealed = new_key(id)
    return Lead.objects.create(
        id=id,
        company=company,
        email_index=index_of(company.pk, address),
        key=sealed,
        email=closed(address, key=key, lead_id=id, column="email"),
    )


def make_result(quiz: Quiz) -> Result:
    """Return a result of the quiz's newest version."""
    version = Version.objects.get(quiz=quiz, number=quiz.version or 0)
    of_both: dict[str, Any] = {
        "quiz": quiz,
        "version": version,
        "language": "en",
        "digest": b"",
        "answers": {"roast": "dark"},
    }
    attempt = Attempt.objects.create(
        id=uuid7(), secret_sha256=b"", rev=1, state=Attempt.State.FINISHED, **of_both
    )
    return Result.objects.create(
        attempt=attempt, points=3, max=3, percent=100, band="all", path=["roast"], **of_both
    )


def objects(owner: User) -> dict[str, Any]:
    """Return the ids by the prefixes of their routes."""
    lead = make_lead().pk
    result = make_result(Quiz.objects.get(slug="coffee")).pk
    return {LEADS: lead, PAGES_OF_LEADS: lead, RESULT: result}


API: Rows = {
    LEADS: {"GET": READ, "POST": NO_METHOD},
    **{
        f"{LEADS}export.{name}": {"GET": READ, "POST": NO_METHOD}
        for name in ("csv", "xlsx", "jsonl")
    },
    f"{LEADS}<str:id>/": {"GET": READ, "POST": NO_METHOD, "DELETE": written(202)},
    # A worker has yet to render it.
    RESULT_PDF: {
        "GET": READ | {"author": 409, "analyst": 409, "auditor": 409, "admin": 409},
        "POST": NO_METHOD,
    },
    f"{ATTEMPT}contact/": {"GET": OPEN_NO_METHOD, "POST": NO_SECRET},
    f"{ATTEMPT}result.pdf": {"GET": NO_SECRET, "POST": OPEN_NO_METHOD},
    **{
        f"api/v1/q/{action}/": {"GET": OPEN_NO_METHOD, "POST": WRONG_TOKEN}
        for action in ("confirm", "withdraw", "erase", "again")
    },
}
# The address of a mailed link says which quiz it is about.
PAGES: Rows = {
    **{
        f"q/{name}/": {"GET": {"default": 404}, "POST": OPEN_NO_METHOD}
        for name in ("confirm", "result", "leave")
    },
    PAGES_OF_LEADS: {"GET": READ_PAGE, "POST": OPEN_NO_METHOD},
    f"{PAGES_OF_LEADS}<str:company>/<uuid:id>/": {
        "GET": READ_PAGE,
        "POST": page(403, author=302, admin=302),
    },
}
BODIES: dict[str, Any] = {
    f"{ATTEMPT}contact/": {"email": "somebody@example.org"},
    **{
        f"api/v1/q/{action}/": {"token": "wrong"}
        for action in ("confirm", "withdraw", "erase", "again")
    },
}
