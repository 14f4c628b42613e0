"""The kinds of settings: what a value may be, and how it is read from text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from shop.core import env

T = TypeVar("T")

SECTIONS: Mapping[str, str | Promise] = {
    "shop": _("The shop"),
    "operation": _("Operation"),
    "accounts": _("Accounts"),
    "quotas": _("Quotas"),
    "documents": _("Reports and mails"),
    "billing": _("Billing"),
    "quizzes": _("Quizzes"),
    "logs": _("Logs"),
}
"""The sections of the page and of the documentation, in order."""


class InForce:
    """The values in force, by name; ``snapshot.install`` replaces all of them at once."""

    values: Mapping[str, Any] = {}


in_force = InForce()


class Unfit(ValueError):
    """A value that a setting cannot have. ``detail`` has places for ``limits``."""

    def __init__(self, code: str, detail: str, **limits: Any) -> None:
        self.code, self.detail, self.limits = code, detail, limits
        super().__init__(detail.format(**limits))


class Setting(Generic[T]):
    """A setting: its name, what it is about, its default, and what its value may be.

    ``variable`` is the environment's, whose value fixes the setting; empty for none. In
    development the default is ``development``, if that is given. ``example`` is what
    ``.env.example`` shows instead of the default.
    """

    type: str

    def __init__(
        self,
        name: str,
        default: T,
        *,
        section: str,
        label: str | Promise,
        help: str | Promise = "",
        variable: str | None = None,
        development: T | None = None,
        example: str = "",
    ) -> None:
        self.name, self.section, self.label, self.help = name, section, label, help
        self.variable = name.upper() if variable is None else variable
        self.production_default = default
        self.development_default = default if development is None else development
        self.example = example

    @property
    def value(self) -> T:
        """Return the value in force."""
        value: T = in_force.values[self.name]
        return value

    @property
    def default(self) -> T:
        """Return the value where neither the environment nor the database has one."""
        return self.development_default if settings.DEVELOPMENT else self.production_default

    @property
    def limits(self) -> dict[str, Any]:
        """Return ``minimum``, ``maximum`` and ``choices``, ``None`` where there are none."""
        return {"minimum": None, "maximum": None, "choices": None}

    def check(self, value: Any) -> T:
        """Return the value of a JSON document, as it is kept. Raise ``Unfit``."""
        raise NotImplementedError

    def recall(self, value: Any) -> T:
        """Return a value that the database keeps. Raise ``Unfit`` if it is of another type."""
        return self.check(value)

    def parse(self, text: str) -> T:
        """Return the value that a text of the environment or a form stands for. Raise ``Unfit``."""
        return self.check(text)

    def brief(self, value: T | None) -> Any:
        """Return the value as the history and the audit have it; ``None`` is no value."""
        return value

    def from_environment(self) -> T | None:
        """Return what the environment says, or ``None``. Raise ``ImproperlyConfigured``."""
        if not self.variable:
            return None
        text = env.text(self.variable, "")
        try:
            return self.parse(text) if text else None
        except Unfit as error:
            raise ImproperlyConfigured(f"{self.variable}: {error}") from None


class Integer(Setting[int]):
    """A whole number between ``minimum`` and ``maximum``."""

    type = "integer"

    def __init__(
        self, name: str, default: int, *, minimum: int = 0, maximum: int = 2**31, **about: Any
    ) -> None:
        super().__init__(name, default, **about)
        self.minimum, self.maximum = minimum, maximum

    @property
    def limits(self) -> dict[str, Any]:
        """Return ``minimum``, ``maximum`` and ``choices``."""
        return super().limits | {"minimum": self.minimum, "maximum": self.maximum}

    def check(self, value: Any) -> int:
        """Return a whole number within the limits."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise Unfit("invalid", gettext_noop("Give a whole number."))
        if value < self.minimum:
            raise Unfit("min_value", gettext_noop("Give {minimum} or more."), minimum=self.minimum)
        if value > self.maximum:
            raise Unfit("max_value", gettext_noop("Give {maximum} or less."), maximum=self.maximum)
        return value

    def parse(self, text: str) -> int:
        """Return the number that a text stands for."""
        try:
            return self.check(int(text) if text.isascii() and len(text) < 20 else None)
        except ValueError as error:
            raise (
                error
                if isinstance(error, Unfit)
                else Unfit("invalid", gettext_noop("Give a whole number."))
            ) from None


class Boolean(Setting[bool]):
    """Something that is on or off."""

    type = "boolean"

    def check(self, value: Any) -> bool:
        """Return ``True`` or ``False``."""
        if not isinstance(value, bool):
            raise Unfit("invalid", gettext_noop("Give true or false."))
        return value

    def parse(self, text: str) -> bool:
        """Return the truth value of a word."""
        word = text.lower()
        return self.check(True if word in env.TRUE else False if word in env.FALSE else None)


class Text(Setting[str]):
    """One line of text with ``minimum`` to ``maximum`` characters.

    ``normal`` returns its normal form, and raises ``Unfit``.
    """

    def __init__(
        self,
        name: str,
        default: str,
        *,
        minimum: int = 0,
        maximum: int = 200,
        normal: Callable[[str], str] = str,
        type: str = "text",
        **about: Any,
    ) -> None:
        super().__init__(name, default, **about)
        self.minimum, self.maximum, self.normal = minimum, maximum, normal
        self.type = type

    @property
    def limits(self) -> dict[str, Any]:
        """Return ``minimum``, ``maximum`` and ``choices``."""
        return super().limits | {"minimum": self.minimum, "maximum": self.maximum}

    def check(self, value: Any) -> str:
        """Return the text without space around it."""
        if not isinstance(value, str):
            raise Unfit("invalid", gettext_noop("Give a text."))
        value = value.strip()
        if not value.isprintable():
            raise Unfit("invalid", gettext_noop("Give one line without control characters."))
        if not self.minimum <= len(value) <= self.maximum:
            raise Unfit(
                "length",
                gettext_noop("Give {minimum} to {maximum} characters."),
                minimum=self.minimum,
                maximum=self.maximum,
            )
        return self.normal(value) if value else value


class Choice(Setting[str]):
    """One of ``choices``, which have a label each."""

    type = "choice"

    def __init__(
        self, name: str, default: str, *, choices: Mapping[str, str | Promise], **about: Any
    ) -> None:
        super().__init__(name, default, **about)
        self.choices = choices

    @property
    def limits(self) -> dict[str, Any]:
        """Return ``minimum``, ``maximum`` and ``choices``."""
        return super().limits | {"choices": list(self.choices)}

    def check(self, value: Any) -> str:
        """Return one of the choices."""
        if not isinstance(value, str) or value not in self.choices:
            raise Unfit(
                "invalid_choice",
                gettext_noop("Give one of {choices}."),
                choices=", ".join(each or '""' for each in self.choices),
            )
        return value


@dataclass(frozen=True, slots=True)
class Rule:
    """What several settings must fulfil together.

    ``holds`` is called with the values of ``names``, and ``detail`` tells what is wrong.
    """

    names: Sequence[str]
    holds: Callable[..., bool]
    detail: str
