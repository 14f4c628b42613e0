"""The settings at run time as a table of the documentation, and as lines of ``.env.example``."""

import textwrap
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import override

from shop.core import site_settings
from shop.core.site_settings import SECTIONS, Setting

PLACES = {
    Path("docs/settings.md"): ("<!-- The settings, by `make settings`. -->", "<!-- End. -->"),
    Path(".env.example"): (
        "# --- Settings at run time, written by `make settings` ------------------------------",
        "# --- Containers: what follows is read by docker-compose.yml only ------------------",
    ),
}
"""Where each is, between two lines of the file."""


def table() -> str:
    """Return the table for the documentation, in Markdown."""
    lines = ["| setting | what | value | default | variable |", "|---|---|---|---|---|"]
    for setting in site_settings.registry().values():
        words = [f"**{setting.label}**", str(setting.help)]
        default = _text(setting.production_default)
        lines.append(
            f"| `{setting.name}` | {'. '.join(filter(None, words))} | {_values(setting)}"
            f" | {f'`{default}`' if default else ''}"
            f" | {f'`{setting.variable}`' if setting.variable else ''} |"
        )
    return "\n".join(lines)


def variables() -> str:
    """Return the lines for ``.env.example``."""
    lines = [
        "# People change these on the page /settings/, and need no restart. One that is set here",
        "# is fixed: nobody changes it there. docs/settings.md explains them.",
    ]
    section = ""
    for setting in site_settings.registry().values():
        if not setting.variable:
            continue
        if setting.section != section:
            section = setting.section
            lines += ["", f"# {SECTIONS[section]}"]
        about = f"{setting.label}. {setting.help}".strip()
        lines += textwrap.wrap(
            f"{about} ({_values(setting)})", 100, initial_indent="# ", subsequent_indent="# "
        )
        lines.append(f"#{setting.variable}={setting.example or _text(setting.production_default)}")
    return "\n".join(lines)


def written(path: Path) -> str:
    """Return the text of a file with its part written anew."""
    text = (settings.BASE_DIR / path).read_text(encoding="utf-8")
    begin, end = PLACES[path]
    before, _begin, rest = text.partition(f"{begin}\n")
    _old, _end, after = rest.partition(f"{end}\n")
    if not (_begin and _end):
        raise LookupError(f"{path} lacks the lines around its part.")
    with override("en"):
        part = table() if path.suffix == ".md" else variables()
    return f"{before}{begin}\n{part}\n\n{end}\n{after}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _values(setting: Setting[Any]) -> str:
    """Return what the value may be, in words."""
    limits = setting.limits
    if limits["choices"] is not None:
        return ", ".join(each or "empty" for each in limits["choices"])
    match setting.type:
        case "boolean":
            return "true or false"
        case "integer":
            return f"{limits['minimum']} to {limits['maximum']}"
        case "time_zone":
            return "a time zone"
        case "currency":
            return "a currency"
        case "image":
            return "a picture"
    return f"{limits['minimum']} to {limits['maximum']} characters"
