"""The list of a company's quizzes, and how a quiz begins: empty, or from a file."""

import re
import secrets
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models.fields.json import KeyTransform
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.permissions import Permission as P
from accounts.permissions import allows
from accounts.rules import needs, requires
from quizzes.authoring.files import file_read, slug_of
from quizzes.authoring.imports import FORMATS
from quizzes.authoring.imports.building import key_of
from quizzes.authoring.models import Quiz
from quizzes.authoring.selectors import quizzes_of
from quizzes.authoring.services import quiz_create
from quizzes.companies.access import Role, companies_for, company_for, role_of
from quizzes.companies.models import NAME_MAX_LENGTH, SLUG_MAX_LENGTH, Company
from quizzes.companies.services import company_create
from quizzes.definition.problems import Problem
from quizzes.definition.structs import FORMAT, MAX_BYTES
from quizzes.pages.editing.reaching import STATES, by_field, title_of, user_of
from quizzes.pages.editing.sentences import in_words
from quizzes.pages.editing.words import told
from shop.core.errors import ApplicationError, FieldError, NotFound, ValidationFailed
from shop.core.pagination import paginate_keys

COMPANIES_SHOWN = 50
FAULTS_SHOWN = 5
LABELS = {
    "title": gettext_lazy("Title"),
    "slug": gettext_lazy("Name in addresses"),
    "headline": gettext_lazy("A result is"),
    "format": gettext_lazy("Format"),
    "file": gettext_lazy("File"),
    "name": gettext_lazy("Name of the company"),
}
HEADLINES = {
    "outcome": gettext_lazy("one of several outcomes, such as the product that fits"),
    "band": gettext_lazy("a level, by points, such as beginner or expert"),
}
FORMAT_NAMES = {
    "gift": gettext_lazy("GIFT (Moodle)"),
    "aiken": gettext_lazy("Aiken"),
    "csv": gettext_lazy("A table (CSV)"),
    "surveyjs": gettext_lazy("SurveyJS (JSON)"),
    "quiz": gettext_lazy("An export of a quiz from here (JSON)"),
}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=needs(P.QUIZZES_READ), POST=needs(P.QUIZZES_WRITE))
def quiz_list(request: HttpRequest) -> HttpResponse:
    """Show the quizzes of a company; make a company, or a quiz, from a form of the page."""
    user = user_of(request)
    errors: dict[str, str] = {}
    status, begun = 200, ""
    if request.method == "POST":
        begun = request.POST.get("action", "")
        try:
            return _begin(request, begun)
        except ApplicationError as error:
            status, errors = error.status, by_field(error)
    companies = list(companies_for(user).order_by("created_at", "pk")[:COMPANIES_SHOWN])
    company = _chosen(request, companies)
    page: Any = None
    if company is not None:
        try:
            rows = quizzes_of(company).annotate(
                titles=KeyTransform("title", "draft"), languages=KeyTransform("languages", "draft")
            )
            page = paginate_keys([rows], cursor=request.GET.get("cursor"))
        except ValidationFailed as error:
            status, errors = 400, errors | {"": error.errors[0].detail}
    role = None if company is None else role_of(user, company)
    context = {
        "company": company,
        "companies": companies,
        "rows": [_row(quiz) for quiz in (page.items if page else ())],
        "links": page.links(f"company={company.slug}") if page and company else {},
        "may_edit": role in (Role.EDITOR, Role.OWNER),
        "may_make": allows(user.permissions, P.QUIZZES_WRITE),
        "errors": errors,
        "begun": begun,
        "labels": LABELS,
        "given": request.POST if errors else {},
        "headlines": HEADLINES.items(),
        "formats": [(name, FORMAT_NAMES[name]) for name in FORMAT_NAMES if name in FORMATS],
        "name_max": NAME_MAX_LENGTH,
        "slug_max": SLUG_MAX_LENGTH,
    }
    return render(request, "quizzes/editing/list.html", context, status=status)


def _chosen(request: HttpRequest, companies: list[Company]) -> Company | None:
    """Return the company of the address, or one that has quizzes or is one's own."""
    if slug := request.GET.get("company") or request.POST.get("company"):
        try:
            return company_for(request.user, slug)
        except ApplicationError as error:
            if not isinstance(error, NotFound):
                raise
    return next((each for each in companies if each.team_id), companies[0] if companies else None)


def _row(quiz: Any) -> dict[str, Any]:
    return {
        "quiz": quiz,
        "name": title_of({"title": quiz.titles, "languages": quiz.languages}) or quiz.slug,
        "state": STATES[quiz.state],
    }


def _begin(request: HttpRequest, action: str) -> HttpResponse:
    user, given = user_of(request), request.POST
    if action == "company":
        name = given.get("name", "")
        with transaction.atomic():
            company = company_create(actor=user, slug=_slug(name, SLUG_MAX_LENGTH), name=name)
        return redirect("quiz_company", company.slug)
    company = company_for(user, given.get("company", ""), Role.EDITOR)
    if action == "new":
        quiz = _new(request, company)
    elif action == "import":
        quiz = _imported(request, company)
    else:
        raise ValidationFailed([FieldError("invalid", _("There is no such button."))])
    return redirect("quiz_editor", quiz.pk)


def _new(request: HttpRequest, company: Company) -> Quiz:
    given = request.POST
    title = " ".join(given.get("title", "").split())
    if not title:
        raise ValidationFailed([FieldError("required", _("Give a title."), "title")])
    language = (get_language() or "en").split("-")[0]
    definition: dict[str, Any] = {
        "format": FORMAT,
        "languages": [language],
        "title": {language: title},
        "questions": [],
    }
    if given.get("headline") == "outcome":
        definition |= {"settings": {"headline": "outcome"}, "outcomes": []}
    else:
        definition["bands"] = [{"key": "level1", "from": 0, "title": {}}]
    slug = given.get("slug", "").strip() or _free_slug(title)
    return quiz_create(actor=user_of(request), company=company, slug=slug, definition=definition)


def _free_slug(title: str) -> str:
    """Return a slug from the title; one that is taken gets some letters more."""
    slug = _slug(title, SLUG_MAX_LENGTH)
    if not Quiz.objects.filter(slug=slug).exists():
        return slug
    return f"{slug[: SLUG_MAX_LENGTH - 7].strip('-')}-{secrets.token_hex(3)}"


def _slug(text: str, most: int) -> str:
    key = key_of(text.strip(), set(), "quiz", most=most)
    return re.sub("_+", "-", key).strip("-")


def _at_the_file(refused: ValidationFailed) -> ValidationFailed:
    """Return the error as the form tells it: its first faults, with their places in the quiz."""
    found = [
        # What is wrong with the file itself says more than the words for its code.
        in_words(each.detail)
        if each.attr is None or each.attr in LABELS
        else told(Problem(each.code, each.detail, each.attr))
        for each in refused.errors[:FAULTS_SHOWN]
    ]
    return ValidationFailed([FieldError(refused.errors[0].code, " ".join(found), "file")])


def _imported(request: HttpRequest, company: Company) -> Quiz:
    file = request.FILES.get("file")
    if file is None:
        raise ValidationFailed([FieldError("required", _("Choose a file."), "file")])
    data = file.read(MAX_BYTES + 1)
    language = (get_language() or "en").split("-")[0]
    try:
        imported = file_read(request.POST.get("format", ""), data, language)
    except ValidationFailed as refused:
        raise _at_the_file(refused) from None
    slug = slug_of(imported, data)
    quiz = quiz_create(
        actor=user_of(request), company=company, slug=slug, definition=imported.definition
    )
    told = _("%(count)s questions are in the quiz.") % {"count": imported.questions}
    messages.success(request, told)
    for each in (*imported.skipped, *imported.notes)[:20]:
        place = _("Line %(line)s: ") % {"line": each.line} if each.line else ""
        messages.warning(request, f"{place}{each.detail}")
    return quiz
