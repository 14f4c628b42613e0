"""Text in a document's fonts: which characters the fonts have, and the width of each.

typst contains two fonts, with Latin, Greek, Cyrillic and Hebrew letters. The packages
``manimgx-fonts`` and ``manimgx-fonts-cjk`` contain Noto's fonts for other scripts and emoji. A
document loads these only if it needs one of them. Without these packages, their characters are
shown as U+FFFD.

A character's width is that of its isolated glyph. Shaping joins and reorders glyphs, so a line of
Arabic or Devanagari is a little shorter than measured.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

_TABLES = Path(__file__).with_name("typst")

SERIF, MONO = "Libertinus Serif", "DejaVu Sans Mono"
TEXT_SIZE = 9.0
"""Points."""

_PACKAGES = ("manimgx_fonts", "manimgx_fonts_cjk")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_ISOLATE, _END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"
_SKIN_TONES = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
_VIRAMA = 9
"""The combining class of a virama, which joins two consonants (Unicode, chapter 12)."""
_MARKS_ON_LATIN, _MARKS_ELSEWHERE = 2, 4


class Glyphs(NamedTuple):
    """Each character's width in 1/1000 of the type size, and the font that shows it.

    ``order`` is the order in which fonts are tried.
    """

    widths: dict[str, int]
    fonts: dict[str, str]
    order: tuple[str, ...]
    widest_ascii: int


@cache
def font_folders() -> dict[str, str]:
    """Return the folder of each package of fonts that is installed."""
    folders = {}
    for package in _PACKAGES:
        spec = find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            folders[package] = spec.submodule_search_locations[0]
    return folders


def package_of(font: str) -> str:
    """Return the package of a font, or an empty string for typst's own."""
    if font in (SERIF, MONO):
        return ""
    return _PACKAGES["CJK" in font]


@cache
def glyphs() -> Glyphs:
    """Return the glyphs of the installed fonts; the first font with a character shows it."""
    widths = dict.fromkeys((_ISOLATE, _END, *_JOINERS), 0)
    fonts: dict[str, str] = {}
    installed = font_folders()
    own = list(_rows("glyphs.txt"))
    noto = [row for row in _rows("noto.txt") if package_of(row[0]) in installed]
    serif = [row for row in own if row[0] == SERIF]
    for font, width, characters in [*serif, *noto, *(row for row in own if row[0] == MONO)]:
        for char in characters:
            if char not in fonts:
                fonts[char], widths[char] = font, width
    order = tuple(dict.fromkeys([SERIF, *(row[0] for row in noto), MONO]))
    return Glyphs(widths, fonts, order, max(widths[chr(code)] for code in range(0x20, 0x7F)))


def _rows(name: str) -> Iterator[tuple[str, int, list[str]]]:
    """Yield the font, the width and the characters of each row of a table of glyphs."""
    names = {"serif": SERIF, "mono": MONO}
    for row in (_TABLES / name).read_text(encoding="ascii").splitlines():
        if row.startswith("#"):
            continue
        font, width, *spans = row.split()
        characters: list[str] = []
        for span in spans:
            first, _, last = span.partition("-")
            characters += map(chr, range(int(first, 16), int(last or first, 16) + 1))
        yield names.get(font, font.replace("-", " ")), int(width), characters


def clean_text(text: str) -> str:
    """Return the text in characters that the fonts can show, in one line.

    White space is collapsed. Control, formatting and private characters, and those that no font
    has, become U+FFFD, or nothing where they are invisible. At most a few accents stay on one
    letter, because more would reach into other rows.
    """
    if text.isascii() and text.isprintable():
        return text
    fonts = glyphs().fonts
    shown: list[str] = []
    # The font of the last letter, with which marks and joiners are shaped, and its marks so far.
    font, marks = "", 0
    for char in unicodedata.normalize("NFC", text):
        category = unicodedata.category(char)
        if category[0] == "M":
            most = _MARKS_ON_LATIN if font == SERIF else _MARKS_ELSEWHERE
            # A mark is shaped with its letter, so one font must have both.
            if font and fonts.get(char) == font and marks < most:
                shown.append(char)
                marks += 1
            continue
        if category == "Cf":
            if char in _JOINERS and font not in ("", SERIF, MONO) and shown[-1] not in _JOINERS:
                shown.append(char)
            continue
        marks = 0
        if char.isspace():
            font = ""
            shown.append(" ")
        else:
            font = fonts.get(char, "")
            shown.append(char if font else _REPLACEMENT)
    return " ".join("".join(shown).split())


def isolated(text: str) -> str:
    """Return clean text whose direction does not affect the text around it."""
    if any(unicodedata.bidirectional(char) in ("R", "AL") for char in text):
        return f"{_ISOLATE}{text}{_END}"
    return text


def fonts_of(text: str) -> set[str]:
    """Return the fonts that clean text needs besides typst's own."""
    if text.isascii():
        return set()
    fonts = glyphs().fonts
    return {fonts.get(char, SERIF) for char in text} - {SERIF, MONO}


def wrap(text: str, width: float, size: float = TEXT_SIZE) -> list[str]:
    """Break clean text into lines of at most `width` points; a long word is broken anywhere."""
    limit = int(width / size * 1000)
    widths, widest_ascii = glyphs().widths, glyphs().widest_ascii
    if len(text) * widest_ascii <= limit and text.isascii():
        return [text]
    measure = widths.__getitem__
    if sum(map(measure, text)) <= limit:
        return [text]
    space = widths[" "]
    lines: list[str] = []
    current, used = "", 0
    for word in text.split(" "):
        length = sum(map(measure, word))
        if current and used + space + length <= limit:
            current, used = f"{current} {word}", used + space + length
            continue
        if current:
            lines.append(current)
        current, used = word, length
        while used > limit:
            end, taken = 0, 0
            while end == 0 or taken + measure(current[end]) <= limit:
                taken += measure(current[end])
                end += 1
            end = _boundary(current, end)
            lines.append(current[:end])
            used -= sum(map(measure, current[:end]))
            current = current[end:]
    lines.append(current)
    return lines


def _boundary(text: str, end: int) -> int:
    """Return the last place up to ``end`` that splits no letter from its marks."""
    place = end
    while place > 0 and _continues(text, place):
        place -= 1
    return place or end


def _continues(text: str, place: int) -> bool:
    char, before = text[place], text[place - 1]
    if char.isascii():
        return False
    return (
        unicodedata.category(char)[0] == "M"
        or char in _JOINERS
        or char in _SKIN_TONES
        or before in _JOINERS
        or unicodedata.combining(before) == _VIRAMA
    )


def shorten(text: str, width: float, size: float) -> str:
    """Cut clean text to one line of `width` points, with an ellipsis if it is too long."""
    if len(wrap(text, width, size)) == 1:
        return text
    return wrap(text, width - size, size)[0] + "…"
