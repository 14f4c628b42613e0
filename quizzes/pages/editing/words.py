"""What the checks of a definition find, in words for people who do not read JSON."""

import re
from typing import Any

from django.utils.translation import gettext_lazy as _

from quizzes.definition.problems import Problem
from quizzes.pages.editing.sentences import in_words

WORDS: dict[str, Any] = {
    "required": _("This is missing."),
    "text_missing": _("This text is missing."),
    "duplicate": _("Another one has this key or language already."),
    "no_questions": _("A quiz needs a question."),
    "no_options": _("It needs an option."),
    "no_correct": _("It needs a right answer to give points for."),
    "no_headline": _("Results need an outcome or a level to be told."),
    "no_fallback": _("Say which outcome everybody else gets."),
    "no_points": _("No answer gives points here."),
    "no_text": _("This outcome has no words yet."),
    "first_band": _("The first level begins at 0."),
    "order": _("It must begin above the one before."),
    "unreachable": _("No option leads to this outcome."),
    "never_shown": _("No answers show this question."),
    "not_earlier": _("The condition asks for a question that does not come before."),
    "unknown_option": _("The condition asks for an answer that the question does not have."),
    "unknown_outcome": _("There is no such outcome."),
    "unknown_category": _("There is no such category."),
    "unknown_band": _("There is no such level."),
    "fallback_excluded": _("The outcome for everybody else must always be possible."),
    "type_changed": _("Earlier versions have a question of another type with this key."),
    "too_many": _("There are too many."),
    "too_exact": _("With the weight of the question this has more than three decimals."),
    "too_large": _("The quiz is larger than 256 KiB."),
    "placeholder": _("There is a placeholder that nothing replaces."),
    "unanswerable": _("As many options as are right cannot be chosen."),
    "empty": _("The condition is empty."),
}
"""By the code of a problem. The others have several meanings, and say themselves which it is."""
PARTS: dict[str, Any] = {
    "questions": _("Question"),
    "options": _("Option"),
    "outcomes": _("Outcome"),
    "bands": _("Level"),
    "categories": _("Category"),
    "blocks": _("Text"),
    "consents": _("Consent"),
}
"""What the form calls the parts of a definition."""
# The name of an unknown field is in the place, too, and may be long.
_PART = re.compile(r"(?<![a-z])([a-z]{1,20})\.([0-9]{1,6})")


def sentence(problem: Problem) -> str:
    """Return what a problem is, in the reader's language where there are words for it."""
    words = WORDS.get(problem.code)
    return in_words(problem.detail) if words is None else str(words)


def told(problem: Problem) -> str:
    """Return what a problem is and where, as people count: ``Question 4, Option 2: …``."""
    parts = _PART.findall(problem.attr or "")
    places = [f"{PARTS[name]} {int(n) + 1}" for name, n in parts if name in PARTS]
    return ": ".join(filter(None, (", ".join(places), sentence(problem))))
