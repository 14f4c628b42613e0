"""The mails to leads, in the language of the attempt.

To an address that is not confirmed goes only what the shop and the company wrote: no name, and no
other character that a respondent typed.
"""

from urllib.parse import urlencode

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from documents.kinds import Letter
from quizzes.answering.definitions import Definition
from quizzes.answering.models import Result
from quizzes.companies.brand import brand_of
from quizzes.companies.models import Company
from quizzes.definition.texts import language_of, text_in
from shop.core.languages import site_language
from shop.core.site_settings.general import SITE_NAME


def link_of(purpose: str, slug: str, language: str, token: str) -> str:
    """Return a link of a mail. The token is behind a ``#``, so no server ever sees it in a path."""
    query = urlencode({"quiz": slug, "lang": language})
    return f"{settings.SITE_URL}/q/{purpose}/?{query}#{token}"


def confirm_letter(
    version: Definition, company: Company, result: Result, *, confirm: str, leave: str
) -> Letter:
    """Return the mail that asks whether the address is the reader's. The last two are tokens."""
    language = language_of(result.language, version.quiz.languages)
    title = text_in(version.quiz.title, language, version.quiz.languages)
    with translation.override(site_language(language)):
        lines = [
            _("Hello,"),
            "",
            _("somebody answered “%(quiz)s” and left this address to get the result.")
            % {"quiz": title},
            _("If it was you, confirm it here, and the result comes by mail:"),
            link_of("confirm", version.slug, language, confirm),
            "",
            _("If it was not you, do nothing: then you get no more mail. You can also erase it:"),
            link_of("leave", version.slug, language, leave),
        ]
        subject = _("Please confirm your address: %(quiz)s") % {"quiz": title}
        return _letter(company, subject, lines)


def result_letter(
    version: Definition,
    company: Company,
    result: Result,
    *,
    again: str,
    leave: str,
    coupon: str,
    attached: bool,
) -> Letter:
    """Return the mail that brings the result. ``again`` and ``leave`` are tokens."""
    language = language_of(result.language, version.quiz.languages)
    title = text_in(version.quiz.title, language, version.quiz.languages)
    with translation.override(site_language(language)):
        lines = [
            _("Hello,"),
            "",
            _("here is your result of “%(quiz)s”.") % {"quiz": title},
            _("It is attached to this mail.")
            if attached
            else _("It is too large for a mail, so it is not attached."),
            *([_("Your coupon: %(code)s") % {"code": coupon}] if coupon else []),
            "",
            _("Get it again:"),
            link_of("result", version.slug, language, again),
            _("Take your consent back, or erase what is stored about you:"),
            link_of("leave", version.slug, language, leave),
        ]
        subject = _("Your result: %(quiz)s") % {"quiz": title}
        return _letter(company, subject, lines)


def _letter(company: Company, subject: str, lines: list[str]) -> Letter:
    brand = brand_of(company)
    end = [
        "",
        company.name,
        *(
            f"{label}: {url}"
            for label, url in (
                (_("Imprint"), brand.imprint_url),
                (_("Privacy"), brand.privacy_url),
            )
            if url
        ),
        _("Sent by %(site)s") % {"site": SITE_NAME.value},
    ]
    return Letter(
        subject=" ".join(subject.split()),
        body="".join(f"{line}\n" for line in [*lines, *end]),
        sender=company.name,
        reply_to=brand.reply_to,
    )
