"""The fonts' characters, their widths, and the breaks of lines."""

import json
import unicodedata
from typing import Any

import pytest
import typst

from documents import measure
from documents.measure import clean_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("e\u0301 Ω Ж ש", "é Ω Ж ש"),
        ("nul\x00", "nul\N{REPLACEMENT CHARACTER}"),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
        ("日本 한국 😀", "日本 한국 😀"),
        ("\U00010330", "\N{REPLACEMENT CHARACTER}"),
        ("हिन्दी क्‍ष ภาษาไทยที่ عَرَبِيّ", "हिन्दी क्‍ष ภาษาไทยที่ عَرَبِيّ"),
        ("a\u200db \u200dक", "ab क"),
        ("a\u202eb\u200bc", "abc"),
        (" a\n\tb\u00a0 c ", "a b c"),
        ("x" + "\u0301" * 9, "x" + "\u0301" * 2),
    ],
)
def test_clean_text(text, shown):
    assert clean_text(text) == shown


@pytest.mark.parametrize("font", measure.glyphs().order)
def test_glyph_table_agrees_with_typst(font):
    known = measure.glyphs()
    own = font in (measure.SERIF, measure.MONO)
    # A mark alone is shown on a circle, so its width cannot be measured.
    characters = [
        char
        for char, name in known.fonts.items()
        if name == font and char != " " and known.widths[char]
        if own or unicodedata.category(char)[0] != "M"
    ]
    source = b"""
        #set text(font: (sys.inputs.font,), size: 100pt, fallback: false,
          kerning: false, ligatures: false, lang: "en")
        #set page(width: 5000pt, height: auto)
        #set document(title: "glyphs")
        #let all = json(bytes(sys.inputs.all))
        #context [#metadata(all.map(c => calc.round(measure(c).width / 0.1pt))) <widths>]
        #text(size: 5pt, all.join(" "))
        #text(size: 5pt, weight: "semibold", all.join(" "))
    """
    options: dict[str, Any] = {
        "ignore_system_fonts": True,
        "font_paths": list(measure.font_folders().values()),
        "sys_inputs": {"all": json.dumps(characters), "font": font},
    }
    if own:
        # PDF/UA refuses a document with a character that no font has.
        typst.compile(source, pdf_standards=["ua-1"], **options)
    (widths,) = json.loads(typst.query(source, "<widths>", field="value", **options))
    measured = dict(zip(characters, widths, strict=True))
    # typst sets East Asian punctuation narrower at the edge of a line.
    assert {
        char: (width, known.widths[char])
        for char, width in measured.items()
        if (width != known.widths[char] if own else width > known.widths[char])
    } == {}


@pytest.mark.parametrize(
    ("text", "width"),
    [("हिन्दीक्षत्रियकिताब", 40), ("👨\u200d👩\u200d👧👍🏽" * 4, 60), ("日本語" * 9, 50)],
)
def test_a_break_splits_no_letter(text, width):
    lines = measure.wrap(clean_text(text), width)
    assert len(lines) > 1
    assert "".join(lines) == clean_text(text)
    for line in lines:
        assert unicodedata.category(line[0])[0] != "M"
        assert line[0] not in "\u200d\u200c🏽"
        assert line[-1] != "\u200d"
