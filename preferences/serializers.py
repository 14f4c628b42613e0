"""The shapes of settings in the API."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from preferences.models import Change
from preferences.selectors import Shown, brief_value
from shop.core.bodies import Body
from shop.core.times import iso

SOURCES = ("default", "database", "environment")
VERSION_MAX = 2**63 - 1


class SettingSerializer(serializers.Serializer[Any]):
    """A setting, and where its value is from."""

    name = serializers.CharField()
    section = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    help = serializers.CharField()
    type = serializers.CharField(
        help_text="`boolean`, `integer`, `text`, `choice`, `time_zone`, `currency` or `image`."
    )
    value = serializers.JSONField()
    default = serializers.JSONField()
    source = serializers.ChoiceField(choices=SOURCES)  # type: ignore[assignment]
    readonly = serializers.BooleanField(help_text="Whether the environment fixes it.")
    minimum = serializers.IntegerField(allow_null=True, help_text="Of a text: of its length.")
    maximum = serializers.IntegerField(allow_null=True)
    choices = serializers.ListField(child=serializers.CharField(), allow_null=True)
    unfit = serializers.CharField(
        help_text="Why the value in the database does not count; empty where it does."
    )
    updated_at = serializers.CharField(allow_null=True)
    updated_by = serializers.CharField(allow_null=True)


class SettingsSerializer(serializers.Serializer[Any]):
    """All settings at one version."""

    version = serializers.IntegerField()
    settings = SettingSerializer(many=True)


class SettingChangeSerializer(serializers.Serializer[Any]):
    """A change of one setting."""

    version = serializers.IntegerField()
    name = serializers.CharField()
    previous = serializers.JSONField(allow_null=True)
    value = serializers.JSONField(allow_null=True)
    changed_at = serializers.CharField()
    changed_by = serializers.CharField(allow_null=True)


class RestoreSerializer(Body):
    """The version to restore."""

    version = serializers.IntegerField(min_value=0, max_value=VERSION_MAX)

    class Meta:
        ref_name = "SettingsRestore"


def setting_data(shown: Shown) -> dict[str, Any]:
    """Return a setting as the API has it."""
    setting = shown.setting
    return {
        "name": setting.name,
        "section": setting.section,
        "label": str(setting.label),
        "help": str(setting.help),
        "type": setting.type,
        "value": shown.value,
        "default": setting.default,
        "source": shown.source,
        "readonly": shown.readonly,
        **setting.limits,
        "unfit": shown.unfit,
        "updated_at": iso(shown.updated_at) if shown.updated_at else None,
        "updated_by": shown.updated_by,
    }


def settings_data(version: int, shown: list[Shown]) -> dict[str, Any]:
    """Return all settings as the API has them."""
    return {"version": version, "settings": [setting_data(each) for each in shown]}


def change_data(change: Change, names: Mapping[int | None, str]) -> dict[str, Any]:
    """Return a change as the API has it; ``names`` are those of accounts by id."""
    previous: Any = change.previous  # type: ignore[attr-defined]
    return {
        "version": change.version,
        "name": change.name,
        "previous": brief_value(change.name, previous),
        "value": brief_value(change.name, change.value),
        "changed_at": iso(change.changed_at),
        "changed_by": names.get(change.changed_by_id),
    }
