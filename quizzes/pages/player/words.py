"""The player's own words, in the languages of a quiz. The page and its scripts share them."""

from collections.abc import Sequence
from functools import lru_cache

from django.utils import translation
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from quizzes.definition.texts import direction
from shop.core.languages import site_language

WORDS = {
    "next": _("Continue"),
    "back": _("Back"),
    "send": _("See my result"),
    "progress": _("Question {n} of {total}"),
    "progress_most": _("Question {n} of up to {total}"),
    "time_limit": _(
        "There are {n} minutes from your first answer on. A result that comes later is marked."
    ),
    "left": _("{n} minutes are left."),
    "left_little": _("Less than a minute is left."),
    "left_none": _("The time is over. A result that comes now is marked."),
    "optional": _("optional"),
    "conditional": _("Leave this out if it does not follow from your answers above."),
    "required": _("Please answer this question."),
    "too_few": _("Choose at least {n}."),
    "too_many": _("Choose at most {n}."),
    "not_a_number": _("Write a number such as 12.5."),
    "too_small": _("It must be at least {n}."),
    "too_large": _("It must be at most {n}."),
    "invalid": _("This cannot be an answer here."),
    "kept": _("Saved on this device, not sent yet. It is sent as soon as there is a connection."),
    "unkept": _("This browser keeps nothing. Leave this page open until the end."),
    "retry": _("Try again now"),
    "sending": _("Your answers are being sent. Your result comes next."),
    "is_closed": _("This quiz is closed. Thank you for coming."),
    "closed": _("This quiz has closed meanwhile. Your answers were not sent."),
    "changed": _("This quiz has changed since this page was opened. Please begin again."),
    "refused": _("Your answers could not be sent. They are still on this device."),
    "again": _("Answer it again"),
    "points": _("{points} of {max} points"),
    "score": _("{points} of {max} points, {percent} %"),
    "parts": _("Part by part"),
    "your_answers": _("Your answers"),
    "right": _("right"),
    "wrong": _("not right"),
    "no_answer": _("no answer"),
    "item": _("From our shop: {item}"),
    "ready": _("Your result is ready"),
    "by_mail": _("Get the result by mail"),
    "email": _("Give a mail address such as name@example.org."),
    "email_label": _("Your mail address"),
    "name": _("Give your name."),
    "name_label": _("Your name"),
    "website": _("Leave this empty"),
    "give": _("Send it to me"),
    "given": _("We have sent a mail to {address}. Open it, and confirm that the address is yours."),
    "consent_changed": _("The text to agree to has changed. Load this page again."),
    "privacy": _("Privacy"),
    "imprint": _("Imprint"),
    "language": _("Language"),
    "preview": _("A preview: nothing is kept, sent or counted."),
    "faults": _("Some answers need another look."),
    "forged": _("This page was open for too long. Please send it once more."),
    "busy": _("This cannot be done right now. Your answers are still here: send them once more."),
}
"""Each by its name; what is in braces is filled in."""


@lru_cache(maxsize=64)
def words_in(language: str) -> dict[str, str]:
    """Return the words in a language, or in English where the site does not speak it."""
    with translation.override(site_language(language)):
        return {name: gettext(text) for name, text in WORDS.items()}


def spoken_for(language: str) -> str:
    """Return the language of the player's words on a page, if it is another than the page's."""
    spoken = site_language(language)
    return "" if spoken.split("-")[0] == language.split("-")[0] else spoken


def marks_of(language: str) -> SafeString:
    """Return the attributes of elements that have the player's words on a page."""
    spoken = spoken_for(language)
    return format_html(' lang="{}" dir="{}"' if spoken else "", spoken, direction(spoken))


def names_of(languages: Sequence[str]) -> list[tuple[str, str]]:
    """Return each language with its name in itself; its code where nobody knows that."""
    return [(language, _name(language)) for language in languages]


def _name(language: str) -> str:
    try:
        return str(translation.get_language_info(language.lower())["name_local"])
    except KeyError:
        return language
