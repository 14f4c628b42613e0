"""The settings in the OpenAPI schema."""

from typing import Any

from shop.core import site_settings
from shop.core.site_settings import Setting

_TYPES = {"integer": "integer", "boolean": "boolean"}


def changes_schema() -> dict[str, Any]:
    """Return the schema of a change: any of the settings, each of its own type or ``null``."""
    return {
        "type": "object",
        "properties": {name: _value(setting) for name, setting in site_settings.registry().items()},
        "additionalProperties": False,
    }


def _value(setting: Setting[Any]) -> dict[str, Any]:
    limits = setting.limits
    kind = _TYPES.get(setting.type, "string")
    schema: dict[str, Any] = {"type": [kind, "null"], "title": str(setting.label)}
    if setting.help:
        schema["description"] = str(setting.help)
    if limits["choices"] is not None:
        schema["enum"] = [*limits["choices"], None]
    if kind == "integer":
        schema |= {"minimum": limits["minimum"], "maximum": limits["maximum"]}
    return schema
