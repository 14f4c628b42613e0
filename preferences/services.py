"""Changes of settings: all of them or none, each a new version."""

from collections.abc import Collection, Mapping
from typing import Any

import structlog
from django.db import connection, transaction
from django.utils.translation import gettext_noop

from audit.services import record
from preferences.models import Change
from preferences.snapshot import load, stored
from shop.core import site_settings
from shop.core.errors import ApplicationError, Conflict, FieldError, ValidationFailed
from shop.core.site_settings import Unfit

logger = structlog.get_logger(__name__)

CHANGES_MAX = 200
# The key of the advisory lock: "pref" in ASCII.
_LOCK = 0x70726566

Values = Mapping[str, Any]


class SetByEnvironment(Conflict):
    """The environment fixes these settings, so nothing here changes them."""

    code = "set_by_environment"

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        variables = {name: site_settings.registry()[name].variable for name in names}
        self.errors = [
            FieldError(self.code, f"{variable} of the environment fixes this setting.", name)
            for name, variable in variables.items()
        ]


class VersionChanged(ApplicationError):
    """Somebody else has changed the settings since the client read them."""

    status = 412
    code = "version_changed"
    detail = gettext_noop("The settings have changed since. Read them again.")


def settings_change(*, actor: Any, changes: Values, expected: Collection[int] | None = None) -> int:
    """Set the values by name, and return the version in force; ``None`` resets a setting.

    Nothing is changed, and no version made, if all values are so already. Raise
    ``ValidationFailed`` with an error for each wrong name, ``SetByEnvironment``, and
    ``VersionChanged`` if the version is none of those expected.
    """
    fit = _checked(changes)
    return _change(actor, fit, expected, "settings.changed")


def settings_restore(*, actor: Any, version: int, expected: Collection[int] | None = None) -> int:
    """Set every setting to what it was at a version, and return the version in force.

    What the environment fixes stays as it is. Raise as ``settings_change`` does, and
    ``ValidationFailed`` for a version that there never was.
    """
    present, then = stored(version)
    if not 0 <= version <= present:
        detail = f"Give a version from 0 to {present}."
        raise ValidationFailed([FieldError("unknown_version", detail, "version")])
    names = site_settings.registry().keys() - site_settings.fixed().keys()
    changes = {name: then.get(name) for name in names}
    errors = []
    for name, value in changes.items():
        try:
            if value is not None:
                site_settings.registry()[name].recall(value)
        except Unfit as error:
            errors.append(FieldError(error.code, str(error), name))
    if errors:
        raise ValidationFailed(errors)
    return _change(actor, changes, expected, "settings.restored")


def _checked(changes: Values) -> dict[str, Any]:
    """Return the values as they are kept."""
    if len(changes) > CHANGES_MAX:
        raise ValidationFailed([FieldError("too_many", f"Give up to {CHANGES_MAX} settings.")])
    registry = site_settings.registry()
    fit: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, value in changes.items():
        setting = registry.get(name)
        if setting is None:
            errors.append(FieldError("unknown", "There is no such setting.", name[:100]))
            continue
        try:
            fit[name] = None if value is None else setting.check(value)
        except Unfit as error:
            errors.append(FieldError(error.code, str(error), name))
    if errors:
        raise ValidationFailed(errors)
    if names := [name for name in changes if name in site_settings.fixed()]:
        raise SetByEnvironment(names)
    return fit


def _change(actor: Any, changes: Values, expected: Collection[int] | None, action: str) -> int:
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Changes take turns, so that a version is compared with the one before it.
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        version, before = stored()
        if expected is not None and version not in expected:
            raise VersionChanged()
        after = {**before, **changes}
        changed = sorted(name for name in changes if before.get(name) != after[name])
        values, _unfit = site_settings.effective(after)
        _keep_rules(values, set(changed))
        if changed:
            version += 1
            Change.objects.bulk_create(
                Change(version=version, name=name, value=after[name], changed_by_id=actor.pk)
                for name in changed
            )
            earlier, _unfit = site_settings.effective(before)
            record(
                action,
                object=f"settings:{version}",
                actor_id=actor.pk,
                before={name: _brief(name, earlier) for name in changed},
                after={name: _brief(name, values) for name in changed},
            )
    if changed:
        logger.info("settings.changed", version=version, names=changed, by=actor.pk)
    transaction.on_commit(load, robust=True)
    return version


def _brief(name: str, values: Values) -> Any:
    return site_settings.registry()[name].brief(values[name])


def _keep_rules(values: Values, changed: set[str]) -> None:
    """Raise ``ValidationFailed`` for every rule about a changed setting that does not hold."""
    errors = [
        FieldError("contradiction", rule.detail, name)
        for rule in site_settings.rules()
        if changed.intersection(rule.names) and not rule.holds(*map(values.get, rule.names))
        for name in rule.names
        if name in changed
    ]
    if errors:
        raise ValidationFailed(errors)
