"""The shape of ``shop-quiz/1``: what a definition may contain, and nothing else.

A default that is not written is left out of the canonical form, so leaving a setting out and
writing its default are the same definition.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from quizzes.definition.numbers import Number

FORMAT = "shop-quiz/1"
MAX_BYTES = 256 * 1024
MAX_TEXT = 5000

# `$` alone would let a line feed follow.
Key = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}(?![\s\S])")]
Language = Annotated[
    str, Meta(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?(?![\s\S])", max_length=12)
]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Texts = dict[Language, Text]
"""One text in each language."""
Milli = Annotated[int, Meta(ge=-1000, le=1000)]


class _Part(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Condition(_Part):
    """When a question is shown: ``all`` or ``any`` of conditions, or a look at one question.

    A look at a question that is not shown or has no answer is false, ``not`` included.
    """

    all: list["Condition"] | None = None
    any: list["Condition"] | None = None
    q: Key | None = None
    is_: list[str | int] | None = field(default=None, name="is")
    not_: list[str | int] | None = field(default=None, name="not")
    gte: Number | None = None
    lte: Number | None = None
    answered: bool | None = None

    def __post_init__(self) -> None:
        groups = [self.all is not None, self.any is not None]
        looks = [value is not None for value in (self.is_, self.not_, self.gte, self.lte)]
        looks.append(self.answered is not None)
        if self.q is None and (sum(groups) != 1 or sum(looks)):
            raise ValueError("A condition has `all`, `any`, or `q` and one of is, not, gte, lte …")
        if self.q is not None and (sum(groups) or sum(looks) != 1):
            raise ValueError("A condition on a question has one of is, not, gte, lte, answered.")

    def leaves(self) -> Iterator["Condition"]:
        """Yield the looks at questions inside."""
        if self.q is not None:
            yield self
        for part in self.all or self.any or ():
            yield from part.leaves()


class Band(_Part):
    """The percents from a lower bound to the next band's."""

    key: Key
    from_: Number = field(name="from")
    title: Texts = {}
    text: Texts = {}


class Category(_Part):
    key: Key
    title: Texts
    bands: list[Band] = []


class Outcome(_Part):
    key: Key
    title: Texts
    text: Texts = {}
    item: Annotated[str, Meta(max_length=200)] | None = None


class Option(_Part):
    """``correct`` belongs to the rule ``exact``, and is told in results that reveal answers."""

    key: Key
    title: Texts
    points: Number = Number(0)
    correct: bool = False
    outcomes: dict[Key, Number] = {}
    excludes: list[Key] = []
    pin: Literal["first", "last"] | None = None


class Question(_Part, tag_field="type"):
    """What all types of questions have."""

    key: Key
    title: Texts
    text: Texts = {}
    show_if: Condition | None = None


class Info(Question, tag="info"):
    """A text between questions."""


class Asked(Question):
    """A question that is answered."""

    required: bool = False
    weight: Number = Number(1)
    categories: list[Key] = []


class Single(Asked, tag="single", kw_only=True):
    options: list[Option]
    shuffle: bool = False


class Multiple(Asked, tag="multiple", kw_only=True):
    """``sum`` adds the points of the chosen options, from ``floor`` on; ``exact`` wants the set."""

    options: list[Option]
    shuffle: bool = False
    rule: Literal["sum", "exact"] = "sum"
    min: Annotated[int, Meta(ge=0, le=50)] = 0
    max: Annotated[int, Meta(ge=1, le=50)] | None = None
    floor: Number = Number(0)
    points: Number = Number(0)


class Scale(Asked, tag="scale", kw_only=True):
    """Whole numbers; each is a point, or ``factor`` points. ``labels`` are texts of some."""

    from_: Milli = field(name="from")
    to: Milli
    reverse: bool = False
    factor: Number = Number(1)
    labels: dict[Annotated[str, Meta(pattern=r"^-?[0-9]{1,4}(?![\s\S])")], Texts] = {}


class NumberQuestion(Asked, tag="number"):
    min: Number | None = None
    max: Number | None = None
    unit: Texts = {}
    correct: Number | None = None
    tolerance: Number = Number(0)
    points: Number = Number(0)


class TextQuestion(Asked, tag="text"):
    max_length: Annotated[int, Meta(ge=1, le=5000)] = 500
    lines: Annotated[int, Meta(ge=1, le=20)] = 1
    correct: list[Annotated[str, Meta(min_length=1, max_length=200)]] = []
    points: Number = Number(0)


AnyQuestion = Single | Multiple | Scale | NumberQuestion | TextQuestion | Info
Choice = Single | Multiple


class Settings(_Part):
    """``reveal`` tells in the result which answers are right. ``time_limit`` is in seconds."""

    headline: Literal["band", "outcome"] = "band"
    back: bool = True
    reveal: Literal["never", "result"] = "never"
    time_limit: Annotated[int, Meta(ge=10, le=86400)] | None = None
    percent_of: Literal["max", "range"] = "max"
    contact: Literal["none", "before_result", "after_result"] = "none"


class ConsentAsked(_Part):
    key: Key
    text: Texts


class Contact(_Part):
    text: Texts = {}
    name: Literal["none", "optional", "required"] = "none"
    consents: list[ConsentAsked] = []


class When(_Part):
    """All that is written must hold. ``band`` is the category's, if one is named."""

    band: list[Key] | None = None
    category: Key | None = None
    outcome: list[Key] | None = None


class Block(_Part):
    text: Texts
    when: When = field(default_factory=When)


class ResultPage(_Part):
    """``coupon`` is the campaign that a confirmed lead gets a code of."""

    blocks: list[Block] = []
    coupon: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class Quiz(_Part, kw_only=True):
    format: Literal["shop-quiz/1"]
    languages: Annotated[list[Language], Meta(min_length=1, max_length=40)]
    title: Texts
    intro: Texts = {}
    settings: Settings = field(default_factory=Settings)
    categories: list[Category] = []
    outcomes: list[Outcome] = []
    fallback: Key | None = None
    normalise: bool = False
    bands: list[Band] = []
    questions: list[AnyQuestion]
    contact: Contact = field(default_factory=Contact)
    result: ResultPage = field(default_factory=ResultPage)
