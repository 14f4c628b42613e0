"""What definitions and files have wrong, in the reader's language.

The API tells faults in English, and some of them name a place or a number. The pages find the
sentence that a fault is made of, and say it in the reader's language.
"""

import re
from functools import cache

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

SENTENCES = (
    # Of the shape.
    _("This is nested too deeply."),
    _("This is not JSON."),
    _("This is not a form of SurveyJS."),
    _("Give a definition: a JSON object."),
    _("A number is too large."),
    _("A text must not hold the character NUL."),
    _("A definition has at most %(kilobytes)s KiB."),
    _("A file has at most %(kilobytes)s KiB."),
    _("A number is needed here."),
    _("The number is too large or too exact."),
    _("Write a number as 12.5: at most 9 digits and 3 decimals."),
    _("A key is a small letter and at most 39 small letters, digits and _."),
    _("A condition has `all`, `any`, or `q` and one of is, not, gte, lte …"),
    _("A condition on a question has one of is, not, gte, lte, answered."),
    _("Object missing required field `%(field)s`"),
    _("Object contains unknown field `%(field)s`"),
    _("Expected `%(wanted)s`, got `%(got)s`"),
    _("Expected `%(wanted)s` matching regex %(pattern)s"),
    _("Expected `%(wanted)s` of length <= %(number)s"),
    _("Expected `%(wanted)s` of length >= %(number)s"),
    _("Expected `%(wanted)s` <= %(number)s"),
    _("Expected `%(wanted)s` >= %(number)s"),
    _("Invalid enum value %(value)s"),
    _("Invalid value %(value)s"),
    # Of what cannot be published.
    _("There are at most %(number)s."),
    _("It must be above `from`."),
    _("It must not be below `min`."),
    _("It must not be negative."),
    _("A scale has at most %(number)s steps."),
    _("The scale has no such step."),
    _("There are fewer options."),
    _("With the rule `exact` the question has the points."),
    _("With the rule `sum` the options have the points."),
    _("The right answer cannot be given."),
    _("Points need a right answer."),
    _("At most %(number)s conditions, in at most %(levels)s levels."),
    _("%(key)s is not answered with a number."),
    _("Ask whether %(key)s is answered, or compare it with gte and lte."),
    _("A category needs a band."),
    _("From %(low)s to %(high)s."),
    _("Above 0, at most %(number)s."),
    _("Percents go up to 100."),
    _("The quiz is not in this language."),
    _("The text has control characters."),
    _("The PDF has no letters for these characters: %(characters)s"),
    # Of what is asked for beside a definition.
    _("Give up to 40 small letters, digits and single hyphens between them."),
    _("Give one of %(names)s."),
    _("Give a language such as en."),
)
"""As the API tells them; for ``%(name)s`` stands whatever it is about."""
_BLANK = re.compile(r"%\((\w+)\)s")


def in_words(detail: str) -> str:
    """Return what a fault says, in the reader's language."""
    for sentence in SENTENCES:
        if found := _pattern(sentence).fullmatch(detail):
            return gettext(sentence) % found.groupdict() if found.groupdict() else gettext(sentence)
    return gettext(detail)


def translated() -> list[tuple[str, str]]:
    """Return the sentences that are others in the reader's language, for the script."""
    found = ((sentence, gettext(sentence)) for sentence in SENTENCES)
    return [(sentence, said) for sentence, said in found if said != sentence]


@cache
def _pattern(sentence: str) -> re.Pattern[str]:
    parts = _BLANK.split(sentence)
    whole = [f"(?P<{part}>.+)" if n % 2 else re.escape(part) for n, part in enumerate(parts)]
    return re.compile("".join(whole), re.DOTALL)
