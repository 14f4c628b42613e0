"""Writes ``noto.txt``: the characters of the packages' fonts, and the width of each.

Run by hand after a change of those packages: ``python documents/typst/make_glyphs.py``. The test
``test_glyph_table_agrees_with_typst`` compares the result with what typst measures.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import manimgx_fonts
import manimgx_fonts_cjk
from fontTools.ttLib import TTCollection, TTFont

HEAD = """\
# What the fonts of manimgx-fonts and manimgx-fonts-cjk can show beside typst's own two fonts.
# font, width in 1/1000 of the type size, code points that have it (hexadecimal).
# Made by make_glyphs.py; no format or private characters.
"""
LEFT_OUT = {"Noto Sans Hebrew"}
"""Typst's own serif has this script, with its points."""


def serif() -> set[int]:
    """Return the code points of typst's own serif, which is always tried first."""
    known: set[int] = set()
    for row in (Path(__file__).with_name("glyphs.txt")).read_text(encoding="ascii").splitlines():
        if row.startswith("serif "):
            for span in row.split()[2:]:
                first, _, last = span.partition("-")
                known.update(range(int(first, 16), int(last or first, 16) + 1))
    return known


def fonts() -> Iterator[TTFont]:
    """Yield the fonts in the order in which they are tried."""
    for path in sorted(Path(manimgx_fonts.__path__[0]).glob("NotoSans[A-Z]*.ttf")):
        yield TTFont(path)
    yield TTFont(next(Path(manimgx_fonts.__path__[0]).glob("NotoEmoji*.ttf")))
    collection = TTCollection(next(Path(manimgx_fonts_cjk.__path__[0]).glob("*.ttc")))
    yield next(font for font in collection if font["name"].getDebugName(1) == "Noto Sans CJK SC")


def main() -> None:
    """Write the table."""
    folder = Path(__file__).parent
    lines = [HEAD]
    known = serif()
    for font in fonts():
        # A variable font has the name of one cut in record 1, and a different family name in 16.
        name = font["name"].getDebugName(16) or font["name"].getDebugName(1)
        if name in LEFT_OUT:
            continue
        scale = 1000 / font["head"].unitsPerEm
        by_width = defaultdict(list)
        for code, glyph in font.getBestCmap().items():
            category = unicodedata.category(chr(code))
            if category[0] in "CZ" or code in known:
                continue
            # The East Asian font contributes only characters of equal width in every weight.
            if "CJK" in name and unicodedata.east_asian_width(chr(code)) not in "WF":
                continue
            by_width[round(font["hmtx"][glyph][0] * scale)].append(code)
        known.update(*by_width.values())
        for width, codes in sorted(by_width.items()):
            spans = " ".join(_spans(sorted(codes)))
            lines.append(f"{name.replace(' ', '-')} {width} {spans}\n")
    (folder / "noto.txt").write_text("".join(lines), encoding="ascii")


def _spans(codes: list[int]) -> Iterator[str]:
    first = last = codes[0]
    for code in [*codes[1:], -1]:
        if code == last + 1:
            last = code
            continue
        yield f"{first:04X}" if first == last else f"{first:04X}-{last:04X}"
        first = last = code


if __name__ == "__main__":
    main()
