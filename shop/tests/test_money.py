"""Amounts as people type and read them: one table of cases for Python and for the browser."""

import json
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from babel.numbers import format_currency
from django.conf import settings
from django.utils import translation

from purchases.currencies import currencies
from shop.core.money import (
    MORE_DECIMALS,
    SYMBOLS,
    WITHOUT_CENTS,
    decimals_of,
    number,
    shown,
    typed_amount,
)

CASES = json.loads(Path(__file__).with_name("amounts.json").read_text(encoding="utf-8"))
LANGUAGES = [code for code, _ in settings.LANGUAGES]


def understood(text: str, currency: str) -> list[Any]:
    try:
        amount, names = typed_amount(text, currency)
    except ValueError:
        return [None, None]
    return [amount, list(names)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_amounts_are_understood_as_people_type_them(language: str):
    with translation.override(language):
        for text, currency, *meant in CASES["understood"]:
            assert understood(text, currency) == meant, text
        for text, currency in CASES["refused"]:
            assert understood(text, currency) == [None, None], text


def test_an_unclear_amount_says_what_it_could_mean():
    with pytest.raises(ValueError, match=r"1195\.00 or 1\.195\. Write 1195 if you mean the first"):
        typed_amount("1.195")
    with translation.override("de"), pytest.raises(ValueError, match=r"1195,00.* 1,195"):
        typed_amount("1.195")


@pytest.mark.parametrize("language", LANGUAGES)
def test_amounts_are_shown_as_the_language_writes_them(language: str):
    with translation.override(language):
        for amount, currency, wanted in CASES["shown"]:
            assert shown(amount, currency) == wanted[language]
            assert shown(Decimal(amount), currency) == wanted[language]
        for currency in currencies() - WITHOUT_CENTS - MORE_DECIMALS.keys() - {"XXX"}:
            wanted = format_currency(
                Decimal("1195.30"), currency, locale=language, currency_digits=False
            )
            assert shown("1195.3", currency).replace("\xa0", "") == wanted.replace("\xa0", "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_shown_is_understood(language: str):
    with translation.override(language):
        for currency in currencies():
            # "KWD 12.000" could be twelve or twelve thousand.
            unclear = ("12.00",) if decimals_of(currency) != 3 else ()
            for amount in ("1195.30", "0.05", "-1234567.00", *unclear):
                plain, names = typed_amount(shown(amount, currency))
                assert Decimal(plain) == Decimal(amount)
                assert names[0] == currency


def test_numbers_are_grouped():
    assert [number(n) for n in (0, 1195, -1234567, Decimal("1195.30"))] == [
        *("0", "1,195", "-1,234,567", "1,195.3")
    ]
    with translation.override("de"):
        assert number(1195) == "1.195"


# --- The browser's half ------------------------------------------------------------------------

SCRIPT = """
import { readFileSync } from "node:fs";
import { typedAmount, understand } from "./amounts.js";
import { number, shown } from "./money.js";
const cases = JSON.parse(readFileSync(0, "utf8"));
const answer = {};
for (const lang of ["en", "de"]) {
  globalThis.document = { documentElement: { lang }, querySelectorAll: () => [] };
  answer[lang] = {
    understood: cases.understood.map(([text, currency]) => typedAmount(text, currency)),
    refused: cases.refused.map(([text, currency]) => typedAmount(text, currency)),
    shown: cases.shown.map(([amount, currency]) => shown(amount, currency)),
    number: [number(1195), number("-1234567.80")],
    problem: understand("1.195").problem,
    halfTyped: shown("12", "EU"),
  };
}
console.log(JSON.stringify(answer));
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("There is no node here.")
    folder = tmp_path_factory.mktemp("money")
    for name in ("amounts.js", "money.js", "texts.js"):
        shutil.copy(Path(settings.BASE_DIR) / "static" / "js" / name, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "run.js").write_text(SCRIPT)
    done = subprocess.run(
        [node, "run.js"], cwd=folder, input=json.dumps(CASES), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_browser_agrees(browser: dict[str, Any], language: str):
    answer = browser[language]
    for found, (text, _, *meant) in zip(answer["understood"], CASES["understood"], strict=True):
        assert [found and found["amount"], found and found["currencies"]] == meant, text
    assert answer["refused"] == [None] * len(CASES["refused"])
    assert answer["shown"] == [wanted[language] for *_, wanted in CASES["shown"]]
    assert answer["halfTyped"] == ("12.00" if language == "en" else "12,00")
    with translation.override(language):
        assert answer["number"] == [number(1195), number("-1234567.80")]
    # Without a catalog the browser's texts are English.
    assert answer["problem"].startswith("This could mean ")


def test_both_know_the_same_currencies():
    folder = Path(settings.BASE_DIR) / "static" / "js"
    script = (folder / "money.js").read_text() + (folder / "amounts.js").read_text()
    assert f'"{" ".join(sorted(WITHOUT_CENTS))}"' in script
    for currency, decimals in MORE_DECIMALS.items():
        assert f"{currency}: {decimals}" in script
    for symbol in SYMBOLS:
        assert symbol in script
