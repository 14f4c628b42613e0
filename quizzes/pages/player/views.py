"""The player's page and its files. Whoever comes is a stranger: no cookie is read or set here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from csp.constants import SELF
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.rules import OPEN, requires
from quizzes.answering.definitions import Definition, version_of
from quizzes.answering.errors import QuizChanged, QuizClosed, refused
from quizzes.answering.opening import quiz_open
from quizzes.authoring.models import Quiz
from quizzes.companies.brand import brand_of
from quizzes.definition.problems import Invalid
from quizzes.definition.structs import Quiz as Structure
from quizzes.definition.texts import direction, language_of, text_in
from quizzes.pages.player import plain
from quizzes.pages.player.branding import version_of_brand
from quizzes.pages.player.preview import draft_in, result_of_draft
from quizzes.pages.player.questions import fields_of
from quizzes.pages.player.shown import contact_of, data_of, result_shown
from quizzes.pages.player.texts import definition_of, html_of, pick
from quizzes.pages.player.words import marks_of, names_of, words_in
from shop.core.errors import ApplicationError, NotFound, error_response
from shop.core.ids import uuid7


@dataclass(frozen=True)
class Opened:
    """What a page shows: a version, or a draft that has none. ``attempt`` is an id to begin."""

    quiz: Quiz
    structure: Structure
    version: Definition | None
    attempt: UUID


@dataclass
class Said:
    """What a form has said, and what was wrong with it."""

    answers: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    sentence: str = ""
    status: int = 200


# A stranger has no session that somebody else could use, so there is nothing to forge.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@requires(GET=OPEN, POST=OPEN)
def player(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Show a quiz. A POST is the plain form, and is answered by the result."""
    try:
        opened = _opened(request, slug)
    except QuizClosed:
        return _closed(request, slug)
    except Invalid as invalid:
        return error_response(request, refused(invalid.errors))
    except ApplicationError as error:
        return error_response(request, error)
    language = _language(request, opened.structure)
    try:
        if request.method == "POST":
            response = _answered(request, opened, language)
        else:
            response = _page(request, opened, language, Said())
    except QuizClosed:
        return _closed(request, slug)
    except ApplicationError as error:
        return error_response(request, error)
    return _framed(response, opened.quiz, language)


def _opened(request: HttpRequest, slug: str) -> Opened:
    attempt = uuid7()
    if token := request.GET.get("preview"):
        quiz, draft = draft_in(slug, token)
        return Opened(quiz, draft, None, attempt)
    number = request.GET.get("v", "")
    if request.method == "POST" and not number and (ticket := plain.ticket_sent(request)):
        # The form is of the version that its page had; with arms another page may have another.
        number = str(ticket.version)
    if number.isdecimal() and len(number) < 10:
        # An attempt stays under its version, also when the quiz has closed.
        found = version_of(slug, int(number))
        if found is None:
            raise NotFound()
        quiz = Quiz.objects.select_related("company").get(pk=found.quiz_id)
        return Opened(quiz, found.quiz, found, attempt)
    opened = quiz_open(slug, attempt)
    return Opened(opened.quiz, opened.version.quiz, opened.version, attempt)


def _language(request: HttpRequest, structure: Structure) -> str:
    """Return the quiz's language that was asked for, else the first that the browser prefers."""
    if wanted := request.GET.get("lang", "")[:20]:
        return language_of(wanted, structure.languages)
    accepted = parse_accept_lang_header(request.META.get("HTTP_ACCEPT_LANGUAGE", ""))
    known = {each.lower(): each for each in structure.languages}
    for each, _quality in accepted:
        if each in known:
            return known[each]
        base = each.split("-")[0]
        if found := next((code for code in structure.languages if code.split("-")[0] == base), ""):
            return found
    return structure.languages[0]


def _page(request: HttpRequest, opened: Opened, language: str, said: Said) -> HttpResponse:
    quiz, structure = opened.quiz, opened.structure
    version = opened.version.number if opened.version else 0
    minutes = _minutes(structure.settings.time_limit)
    context = {
        **_face(request, quiz, structure, language),
        "fields": list(fields_of(structure, language, said.answers, said.errors)),
        "intro": html_of(pick(definition_of(structure).get("intro", {}), language, []) or []),
        "minutes": minutes,
        "time_limit": words_in(language)["time_limit"].format(n=minutes),
        "ticket": plain.ticket_new(opened.attempt, version),
        "sentence": said.sentence,
        "contact": contact_of(structure, language),
        "can_go_back": structure.settings.back,
        "data": data_of(request, opened, language),
    }
    return render(request, "quizzes/player/player.html", context, status=said.status)


def _minutes(seconds: int | None) -> str:
    """Return a time limit as ``1:30``; empty for none."""
    return "{}:{:02d}".format(*divmod(seconds, 60)) if seconds else ""


def _answered(request: HttpRequest, opened: Opened, language: str) -> HttpResponse:
    """Answer the plain form by the result, or by the form with what is wrong with it."""
    structure, words = opened.structure, words_in(language)
    sent = plain.fields_sent(request)
    answers = plain.answers_in(structure, sent)
    ticket = plain.ticket_read(sent.get(plain.TOKEN, [""])[0])
    try:
        if opened.version is None:
            result = result_of_draft(opened.quiz, structure, language, answers)
        elif ticket is None or ticket.version != opened.version.number:
            return _page(request, opened, language, Said(answers, {}, words["forged"], 400))
        elif "email" in sent:
            return _contacted(request, opened, opened.version, ticket, language, sent)
        else:
            result = plain.answers_finish(request, opened.version, ticket, language, answers)
    except Invalid as invalid:
        return _again(request, opened, language, answers, refused(invalid.errors))
    except QuizChanged as error:
        now = quiz_open(opened.quiz.slug, opened.attempt)
        newer = Opened(now.quiz, now.version.quiz, now.version, opened.attempt)
        return _page(request, newer, language, Said(answers, {}, words["changed"], error.status))
    except QuizClosed:
        raise
    except ApplicationError as error:
        return _again(request, opened, language, answers, error)
    kept = sent.get(plain.TOKEN, [""])[0] if opened.version else ""
    return _result(request, opened, language, result, {"ticket": kept})


def _contacted(
    request: HttpRequest,
    opened: Opened,
    version: Definition,
    ticket: plain.Ticket,
    language: str,
    sent: plain.Fields,
) -> HttpResponse:
    """Keep the address that the form has, and show the result; or say what is wrong with it."""
    more: dict[str, Any] = {"ticket": sent[plain.TOKEN][0]}
    status = 200
    try:
        address = plain.contact_sent(request, version, ticket, sent)
        more["given"] = words_in(language)["given"].format(address=address)
    except ApplicationError as error:
        status, first = error.status, error.errors[0]
        words = words_in(language)
        more["contact_error"] = words.get(first.attr or "", words.get(first.code, words["busy"]))
    response = _result(request, opened, language, plain.result_told(version, ticket), more)
    response.status_code = status
    return response


def _result(
    request: HttpRequest, opened: Opened, language: str, result: dict[str, Any], more: Any
) -> HttpResponse:
    context = {
        **_face(request, opened.quiz, opened.structure, language),
        "result": result_shown(opened.structure, result, language),
        "contact": contact_of(opened.structure, result["language"]),
        **more,
    }
    return render(request, "quizzes/player/result.html", context)


def _again(
    request: HttpRequest, opened: Opened, language: str, answers: Any, error: ApplicationError
) -> HttpResponse:
    """Show the form once more, with everything that was typed."""
    words = words_in(language)
    errors = {
        item.attr.removeprefix("answers."): words.get(item.code, item.detail).replace(" {n}", "")
        for item in error.errors
        if item.attr and item.attr.startswith("answers.")
    }
    sentence = words["faults"] if errors else words["busy"]
    return _page(request, opened, language, Said(answers, errors, sentence, error.status))


def _closed(request: HttpRequest, slug: str) -> HttpResponse:
    """Say that the quiz is closed. Its script goes on with an attempt that has begun before."""
    quiz = Quiz.objects.select_related("company").get(slug=slug)
    version = version_of(slug, quiz.version or 0)
    if version is None:
        raise NotFound()
    language = _language(request, version.quiz)
    context = {
        **_face(request, quiz, version.quiz, language),
        "data": {"slug": slug, "version": None, "address": reverse("quiz_player", args=[slug])},
    }
    response = render(request, "quizzes/player/closed.html", context, status=410)
    return _framed(response, quiz, language)


def _face(request: HttpRequest, quiz: Quiz, structure: Structure, language: str) -> dict[str, Any]:
    """Return what every page of a quiz has: its words, its language, its company's look."""
    company, brand = quiz.company, brand_of(quiz.company)
    query = request.GET.copy()
    links = []
    for code, name in names_of(structure.languages):
        query["lang"] = code
        links.append({"code": code, "name": name, "query": query.urlencode()})
    version = version_of_brand(brand)
    return {
        "slug": quiz.slug,
        "title": text_in(structure.title, language, structure.languages),
        "language": language,
        "direction": direction(language),
        "words": words_in(language),
        "spoken": marks_of(language),
        "languages": links if len(links) > 1 else [],
        "company": company.name,
        "brand": brand,
        "brand_css": f"{reverse('quiz_brand', args=[quiz.slug])}?v={version}",
        "logo": f"{reverse('quiz_logo', args=[quiz.slug])}?v={version}" if brand.logo else "",
        "is_embedded": request.GET.get("embed") == "1",
        "is_preview": "preview" in request.GET,
    }


def _framed(response: HttpResponse, quiz: Quiz, language: str) -> HttpResponse:
    """Let the quiz's own origins frame the page, and nobody else."""
    if quiz.embed:
        response._csp_replace = {"frame-ancestors": [SELF, *quiz.embed]}  # type: ignore[attr-defined]
        response.xframe_options_exempt = True
    response["Referrer-Policy"] = "no-referrer"
    response["Content-Language"] = language
    return response
