"""What a search of the log asks for: the filters of the API and of the page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import User
from logs.levels import LEVELS, families
from logs.words import FIRST_WORDS, split
from shop.core.errors import FieldError, ValidationFailed
from shop.core.times import given_moment

PARTS = ("web", "live", "relay", "worker", "beat", "follower", "nginx", "postgres")
WIDEST = timedelta(days=31)
USUAL = timedelta(hours=24)
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2970, 1, 1, tzinfo=UTC)
"""Spans of time begin and end far from the ends of the calendar."""
TEXT_MAX = 200
FIELDS_MAX = 5
FILTERS = ("since", "until", "level", "part", "event", "request_id", "user", "instance", "q")
FIELD = "field."
_WORDS = "words @@ %s::tsquery"


@dataclass(frozen=True, slots=True)
class Search:
    """The lines from ``since`` until ``until``, both inclusive, that meet all conditions.

    ``conditions`` are SQL over ``logs_entry``, and ``values`` its parameters.
    """

    since: datetime
    until: datetime
    conditions: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_words(self) -> bool:
        """Return whether the lines are to have certain words."""
        return _WORDS in self.conditions


def search_of(parameters: Mapping[str, str]) -> Search:
    """Return the search that the parameters of a request ask for.

    Without a time it is about the last 24 hours. Raise ``ValidationFailed`` for each filter that is
    malformed, and if it spans more than 31 days.
    """
    given = {
        name: text
        for name in [*FILTERS, *(name for name in parameters if name.startswith(FIELD))]
        if (text := parameters.get(name, "").strip())
    }
    made = _Made()
    times: dict[str, datetime] = {}
    for name, text in given.items():
        try:
            if len(text) > TEXT_MAX or len(name) > TEXT_MAX or "\0" in text + name:
                raise ValueError(_("This is too long."))
            if name in ("since", "until"):
                moment = given_moment(text, is_end=name == "until")
                times[name] = min(max(moment, FIRST), LAST)
            else:
                made.add(name, text)
        except (ValueError, OverflowError) as error:
            made.errors.append(FieldError("invalid", str(error), name))
    if sum(name.startswith(FIELD) for name in given) > FIELDS_MAX:
        made.errors.append(FieldError("invalid", _("These are too many fields."), FIELD))
    if made.errors:
        raise ValidationFailed(made.errors)
    since, until = _span(times)
    return Search(since, until, tuple(made.conditions), tuple(made.values), given)


def _span(times: Mapping[str, datetime]) -> tuple[datetime, datetime]:
    until = times.get("until")
    try:
        if until is None:
            now = datetime.now(UTC)
            until = max(now, times["since"] + USUAL) if _is_old(times, now) else now
        since = times.get("since", until - USUAL)
    except OverflowError:
        raise ValidationFailed(
            [FieldError("invalid", _("There is no time so long ago."), "since")]
        ) from None
    if until - since > WIDEST:
        detail = _("A search spans 31 days at most. Give `since` and `until`.")
        raise ValidationFailed([FieldError("search_too_wide", detail, "since")])
    return since, until


def _is_old(times: Mapping[str, datetime], now: datetime) -> bool:
    return "since" in times and times["since"] > now


class _Made:
    """The conditions that were made so far."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.values: list[Any] = []
        self.errors: list[FieldError] = []

    def add(self, name: str, text: str) -> None:
        """Add a condition. Raise ``ValueError`` for what is no value of the filter."""
        match name:
            case "level":
                if text not in LEVELS:
                    raise ValueError(_("Give one of {}.").format(", ".join(LEVELS)))
                self._where("kept = ANY(%s)", [str(each) for each in families(LEVELS[text])])
                self._where("level >= %s", LEVELS[text])
            case "part":
                if text not in PARTS:
                    raise ValueError(_("Give one of {}.").format(", ".join(PARTS)))
                self._where("part = %s", text)
            case "user":
                own = text.isascii() and text.isdigit() and len(text) <= 18
                ids = User.objects.known_as(text) | ({int(text)} if own else set())
                self._where("user_id = ANY(%s)", sorted(ids))
            case "q":
                words = split(text)
                if not words:
                    raise ValueError(_("Give words of letters or digits."))
                self._words(words)
            case "request_id":
                self._where("request_id = %s AND request_id <> ''", text)
            case "event":
                self._words(split(text))
                self._where("event = %s", text)
            case "instance":
                self._where("instance = %s", text)
            case _:
                # The words of the value find the line, if it has any that are always stored.
                self._words(split(text)[:FIRST_WORDS], whole=True)
                self.conditions.append("fields ->> %s = %s")
                self.values += [name.removeprefix(FIELD), text]

    def _where(self, condition: str, value: Any) -> None:
        self.conditions.append(condition)
        self.values.append(value)

    def _words(self, words: list[str], *, whole: bool = False) -> None:
        # Each may be the beginning of a longer word.
        lexemes = [f"'{word}'" + ("" if whole else ":*") for word in words]
        if lexemes:
            self._where(_WORDS, " & ".join(lexemes))
