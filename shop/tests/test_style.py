"""The tokens of the design can be read in both themes, and the style sheets stay small."""

import posixpath
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders

CSS = settings.BASE_DIR / "static" / "css"
TOKENS = (CSS / "tokens.css").read_text()
THEMES = {"light": 0, "dark": 1}
GROUNDS = ("ground", "surface")
TONES = ("accent", "good", "warn", "bad")
TEXTS = [
    *((text, ground) for text in ("ink", "soft", *TONES) for ground in GROUNDS),
    *((tone, f"{tone}-soft") for tone in TONES),
    *((text, "accent-soft") for text in ("ink", "soft")),
    ("ink", "warn-soft"),
    ("soft", "warn-soft"),
    ("accent", "warn-soft"),
    ("accent-ink", "accent"),
]


def _tokens(css: str) -> dict[str, tuple[str, str]]:
    pairs = re.findall(r"--([a-z-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\)", css)
    return {name: (light, dark) for name, light, dark in pairs}


def _luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of WCAG 2, from 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("000000", "ffffff") == pytest.approx(21)
    assert contrast("777777", "ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
def test_every_text_can_be_read_and_every_control_be_seen(theme: str) -> None:
    colours = {name: pair[THEMES[theme]] for name, pair in _tokens(TOKENS).items()}
    pairs = [(*pair, 4.5) for pair in TEXTS]
    pairs += [(line, ground, 3.0) for line in ("edge", "accent") for ground in GROUNDS]
    faint = [
        f"{one} on {other}: {contrast(colours[one], colours[other]):.2f}"
        for one, other, least in pairs
        if contrast(colours[one], colours[other]) < least
    ]
    assert faint == []


def test_the_admin_has_the_accent_of_the_shop() -> None:
    accent = _tokens((CSS / "admin.css").read_text())["accent"]
    assert accent == _tokens(TOKENS)["accent"]


def test_the_style_sheets_of_a_page_are_small() -> None:
    assert sum((CSS / name).stat().st_size for name in ("tokens.css", "site.css")) <= 30_000


def _modules(name: str, found: dict[str, int]) -> dict[str, int]:
    """Return the bytes of a script and of all that it imports when it begins, by name."""
    if name not in found:
        source = Path(str(finders.find(name))).read_text()
        found[name] = len(source.encode())
        for link in re.findall(r'^(?:import|export)\b[^"(]*"(\.[^"]+)"', source, re.MULTILINE):
            _modules(posixpath.normpath(posixpath.join(posixpath.dirname(name), link)), found)
    return found


def _scripts() -> dict[str, set[str]]:
    """Return the scripts of each name of a template, and those of all pages of accounts."""
    scripts: dict[str, set[str]] = {}
    for path in settings.BASE_DIR.glob("**/templates/**/*.html"):
        app = path.relative_to(settings.BASE_DIR).parts[0]
        found = re.findall(r"<script[^>]* src=\"{% static '([^']+)'", path.read_text())
        if found and app != ".venv" and "toys" not in path.parts:
            scripts.setdefault(app if app == "accounts" else path.name, set()).update(found)
    return scripts


def test_the_scripts_of_a_page_are_small() -> None:
    scripts = _scripts()
    frame = scripts.pop("base.html")
    assert {"shop.html", "live.html", "dashboard.html", "accounts"} <= set(scripts)
    sizes = {}
    for page, own in scripts.items():
        found: dict[str, int] = {}
        for name in frame | own:
            _modules(name, found)
        assert {"js/texts.js", "js/toast.js"} <= set(found), "Imports are followed."
        sizes[page] = sum(found.values())
    # The player of quizzes does not have the frame. Its own test measures what it transfers.
    del sizes["player.html"], sizes["closed.html"]
    # The till loads its whole program at once, because it must also start without a connection.
    assert sizes.pop("till.html") <= 62_000
    assert {page: size for page, size in sizes.items() if size > 30_000} == {}


def test_no_template_has_style_or_script_of_its_own() -> None:
    faults = [
        f"{path.name}: {match.group()}"
        for folder in settings.BASE_DIR.glob("**/templates")
        if ".venv" not in folder.parts
        for path in folder.rglob("*.html")
        for match in re.finditer(
            r"\sstyle=|<style|<script(?![^>]*\bsrc=)|\son[a-z]+=[\"']", path.read_text()
        )
    ]
    assert faults == []


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    sprite = (settings.BASE_DIR / "static" / "icons.svg").read_text()
    known = set(re.findall(r'<symbol id="([a-z0-9-]+)"', sprite))
    named = {
        match.group(1)
        for path in settings.BASE_DIR.glob("**/templates/**/*.html")
        if ".venv" not in path.parts
        for match in re.finditer(r'(?:\{% icon |icon=)"([a-z0-9-]+)"', path.read_text())
    }
    named |= {
        match.group(1)
        for path in settings.BASE_DIR.glob("*/apps.py")
        for match in re.finditer(r'icon="([a-z0-9-]+)"', path.read_text())
    }
    assert named
    assert sorted(named - known) == []
