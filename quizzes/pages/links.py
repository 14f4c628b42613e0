"""The pages of mailed links. A button does what the link is for, and opening one does nothing.

The token is behind the ``#``, so no server, proxy or scanner of links sees it in an address. Brand
and language are those of the quiz that the address names.
"""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.rules import OPEN, requires
from quizzes.answering.definitions import version_of
from quizzes.authoring.models import Quiz
from quizzes.companies.brand import brand_of
from quizzes.definition.texts import direction, language_of, text_in
from quizzes.pages.player.branding import version_of_brand
from quizzes.pages.player.words import marks_of, words_in
from shop.core.errors import NotFound, error_response
from shop.core.languages import site_language


@require_safe
@requires(GET=OPEN)
def confirm(request: HttpRequest) -> HttpResponseBase:
    """Ask the reader of a mail to confirm the address."""
    return _page(request, _confirm)


@require_safe
@requires(GET=OPEN)
def result(request: HttpRequest) -> HttpResponseBase:
    """Offer to mail a result again."""
    return _page(request, _result)


@require_safe
@requires(GET=OPEN)
def leave(request: HttpRequest) -> HttpResponseBase:
    """Offer to take consents back, or to be erased."""
    return _page(request, _leave)


def _confirm() -> tuple[str, str, list[dict[str, str]]]:
    return (
        _("Confirm your address"),
        _("Then your result comes by mail."),
        [_button("confirm", _("Yes, this is my address"))],
    )


def _result() -> tuple[str, str, list[dict[str, str]]]:
    return (
        _("Get your result again"),
        _("It is mailed to the address that you confirmed."),
        [_button("again", _("Mail it to me again"))],
    )


def _leave() -> tuple[str, str, list[dict[str, str]]]:
    return (
        _("Your consent and your data"),
        _(
            "Take back what you agreed to, or have everything erased that is stored about you. An"
            " erasure cannot be undone."
        ),
        [
            _button("withdraw", _("Take my consent back"), "secondary"),
            _button("erase", _("Erase what is stored about me"), "danger"),
        ],
    )


def _button(action: str, label: str, kind: str = "") -> dict[str, str]:
    return {"url": reverse(f"api_q_{action}"), "label": label, "kind": kind}


def _answers() -> dict[str, str]:
    """Return what the page says after a click, by the state in the answer."""
    return {
        "confirmed": _("Thank you. Your result is on its way to you by mail."),
        "withdrawn": _("Your consent is taken back."),
        "erased": _("What was stored about you is erased."),
        "sent": _("Your result is on its way to you by mail."),
        "limited": _("It was mailed already. You can ask for it again tomorrow."),
        "over": _("This link is not valid any more."),
        "failed": _("That did not work. Try again in a moment."),
    }


def _page(request: HttpRequest, told: Any) -> HttpResponseBase:
    slug = request.GET.get("quiz", "")[:40]
    quiz = Quiz.objects.select_related("company").defer("draft").filter(slug=slug).first()
    version = None if quiz is None else version_of(slug, quiz.version or 0)
    if quiz is None or version is None:
        return error_response(request, NotFound())
    languages = version.quiz.languages
    language = language_of(request.GET.get("lang", "")[:12], languages)
    brand = brand_of(quiz.company)
    look = version_of_brand(brand)
    with translation.override(site_language(language)):
        heading, sentence, buttons = told()
        context = {
            "title": text_in(version.quiz.title, language, languages),
            "heading": heading,
            "sentence": sentence,
            "buttons": buttons,
            "answers": _answers(),
            "no_script": _("This page needs JavaScript, because the link is read in your browser."),
            "language": language,
            "direction": direction(language),
            "words": words_in(language),
            "spoken": marks_of(language),
            "company": quiz.company.name,
            "brand": brand,
            "brand_css": f"{reverse('quiz_brand', args=[slug])}?v={look}",
            "logo": f"{reverse('quiz_logo', args=[slug])}?v={look}" if brand.logo else "",
        }
        response = render(request, "quizzes/leads/link.html", context)
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    response["Content-Language"] = language
    return response
