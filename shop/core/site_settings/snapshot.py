"""The values in force in this process, and where each of them is from."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import structlog

from shop.core.apps import sequences
from shop.core.site_settings.kinds import SECTIONS, Rule, Setting, Unfit, in_force

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All settings at one version, 0 before the first change.

    ``stored`` are the values of the database by name, ``unfit`` the reasons why some of them do not
    count.
    """

    version: int
    stored: Mapping[str, Any]
    unfit: Mapping[str, str]


_EMPTY: Mapping[str, Any] = MappingProxyType({})
_current = Snapshot(0, _EMPTY, _EMPTY)
_listeners: list[Callable[[], None]] = []
_installing = threading.Lock()


@cache
def registry() -> dict[str, Setting[Any]]:
    """Return every declared setting by name, in the order of the sections."""
    found: list[Setting[Any]] = [one for each in sequences("site_settings") for one in each]
    order = list(SECTIONS)
    found.sort(key=lambda setting: order.index(setting.section))
    by_name = {setting.name: setting for setting in found}
    if len(by_name) != len(found):
        raise LookupError("Two settings have the same name.")
    return by_name


@cache
def rules() -> list[Rule]:
    """Return what several settings must fulfil together."""
    return [rule for each in sequences("site_setting_rules") for rule in each]


@cache
def fixed() -> Mapping[str, Any]:
    """Return the values that the environment fixes, by name."""
    given = {name: setting.from_environment() for name, setting in registry().items()}
    return {name: value for name, value in given.items() if value is not None}


def load_declarations() -> None:
    """Read the declarations and the environment, and put the values in force.

    Raise ``ImproperlyConfigured`` for a variable with a value that its setting cannot have.
    """
    fixed()
    install(0, {})


def current() -> Snapshot:
    """Return what is in force."""
    return _current


def version() -> int:
    """Return the version of the settings in force, 0 before the first change."""
    return _current.version


def when_changed(listener: Callable[[], None]) -> None:
    """Call ``listener`` now and after each change, in the thread that brings it."""
    _listeners.append(listener)
    listener()


def effective(stored: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values that are in force with these stored ones, and why some do not count.

    Names that nobody declares are of another version of the code, and are left alone. The default
    counts instead of a value that its setting cannot have.
    """
    values, unfit = {}, {}
    for name, setting in registry().items():
        value = setting.default
        if stored.get(name) is not None:
            try:
                value = setting.recall(stored[name])
            except Unfit as error:
                unfit[name] = str(error)
        values[name] = fixed().get(name, value)
    return values, unfit


def install(version: int, stored: Mapping[str, Any]) -> Snapshot:
    """Put the stored values of a version in force, report those that do not count, and return the
    snapshot."""
    global _current
    values, unfit = effective(stored)
    with _installing:
        for name in unfit.keys() - _current.unfit.keys():
            logger.warning("site_setting.unfit", name=name, reason=unfit[name])
        snapshot = _current = Snapshot(version, dict(stored), unfit)
        in_force.values = values
        for listener in _listeners:
            listener()
    return snapshot
