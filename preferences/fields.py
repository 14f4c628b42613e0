"""The settings as fields of a form, and their changes as rows of a table."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext

from preferences.models import Change
from preferences.selectors import Shown, brief_value
from shop.core import site_settings
from shop.core.site_settings import SECTIONS, Setting, Unfit


@dataclass(frozen=True, slots=True)
class Field:
    """A setting as the page shows it. ``text`` is what stands in its input, ``was`` the value."""

    shown: Shown
    text: str
    was: str
    is_reset: bool
    error: str

    @property
    def name(self) -> str:
        """Return the setting's name."""
        return self.shown.setting.name

    @property
    def section(self) -> str:
        """Return the section's name."""
        return self.shown.setting.section

    @property
    def label(self) -> str | Promise:
        """Return what the setting is called."""
        return self.shown.setting.label

    @property
    def kind(self) -> str:
        """Return which input it has."""
        kinds = {"boolean": "choice", "choice": "choice", "image": "image", "integer": "number"}
        return kinds.get(self.shown.setting.type, "text")

    @property
    def options(self) -> list[tuple[str, Any]]:
        """Return the values of a choice, and their texts."""
        return options_of(self.shown.setting)

    @property
    def in_words(self) -> str:
        """Return the value as people read it."""
        return in_words(self.shown.setting, self.shown.value)

    @property
    def default(self) -> str:
        """Return the default as people read it."""
        return in_words(self.shown.setting, self.shown.setting.default)

    @property
    def limits(self) -> dict[str, Any]:
        """Return the limits of the input."""
        return self.shown.setting.limits

    @property
    def variable(self) -> str:
        """Return the variable of the environment."""
        return self.shown.setting.variable

    @property
    def is_stored(self) -> bool:
        """Return whether the database has a value, which can be reset."""
        return self.shown.source == "database" or bool(self.shown.unfit)

    def is_about(self, sought: str) -> bool:
        """Return whether every word that somebody looks for is in what the setting is about."""
        setting = self.shown.setting
        words = [setting.name, setting.label, setting.help, setting.variable]
        about = " ".join(map(str, [*words, SECTIONS[self.section]])).casefold()
        return all(word in about for word in sought.casefold().split())


@dataclass(frozen=True, slots=True)
class Row:
    """A change as the history shows it. ``restorable`` is the version before it, once a version."""

    version: int
    name: str
    label: str | Promise
    before: str
    after: str
    at: datetime
    by: str
    restorable: int | None


def field_of(shown: Shown, typed: QueryDict, errors: Mapping[str, str]) -> Field:
    """Return a setting as a field, with what was typed if that is still to be saved."""
    setting = shown.setting
    was = as_text(setting, shown.value)
    text = was
    if typed.get(setting.name, was) != typed.get(f"was-{setting.name}", was):
        text = str(typed[setting.name])
    error = errors.get(setting.name, "")
    if not error and shown.unfit:
        error = gettext("The value in the database does not count: %(why)s") % {"why": shown.unfit}
    return Field(shown, text, was, setting.name in typed.getlist("reset"), error)


def rows_of(changes: Iterable[Change], people: Mapping[int | None, str]) -> Iterator[Row]:
    """Yield the changes as rows."""
    last = None
    for change in changes:
        setting = site_settings.registry().get(change.name)
        previous: Any = change.previous  # type: ignore[attr-defined]
        yield Row(
            change.version,
            change.name,
            setting.label if setting else change.name,
            _past(setting, change.name, previous),
            _past(setting, change.name, change.value),
            change.changed_at,
            people.get(change.changed_by_id, ""),
            None if change.version == last else change.version - 1,
        )
        last = change.version


def sentence(error: Unfit) -> str:
    """Return what is wrong with a value, in the reader's language."""
    return gettext(error.detail).format(**error.limits)


def as_text(setting: Setting[Any], value: Any) -> str:
    """Return what stands in the input of a value."""
    if setting.type == "image":
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def in_words(setting: Setting[Any], value: Any) -> str:
    """Return a value as people read it."""
    if setting.type == "image":
        return gettext("a picture") if value else gettext("none")
    text = as_text(setting, value)
    return str(dict(options_of(setting)).get(text, text)) or gettext("empty")


def options_of(setting: Setting[Any]) -> list[tuple[str, Any]]:
    """Return the values of a choice, and their texts."""
    if setting.type == "boolean":
        return [("true", gettext("On")), ("false", gettext("Off"))]
    return list(getattr(setting, "choices", {}).items())


def _past(setting: Setting[Any] | None, name: str, value: Any) -> str:
    if value is None:
        return gettext("the default")
    if setting is None:
        return str(value)[:200]
    return str(brief_value(name, value)) if setting.type == "image" else in_words(setting, value)
