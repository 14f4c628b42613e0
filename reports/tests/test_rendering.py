"""The PDFs of reports, read back with an independent library: no line, sum or tag is missing."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import unicodedata
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from PIL import Image
from pypdf import PdfReader

from documents import measure
from documents.measure import clean_text
from documents.rendered import RenderingFailed, RenderingTimeout
from documents.volumes import layout, typeset
from reports.contents import (
    AccountBalance,
    AccountLine,
    CurrencyTotal,
    MonthTotal,
    SalesHeader,
    SalesLine,
    StatementLine,
    TotalsDisagree,
)
from reports.rendering import render_sales, render_statement
from reports.tests.pdfs import (
    HOSTILE,
    LINE,
    REPORT_ID,
    assert_tagged,
    make_header,
    make_lines,
    read_lines,
    render,
    squeeze,
    texts,
)
from shop.core import money


def test_statement_shows_every_purchase_and_sums_that_agree(tmp_path):
    lines = make_lines(120, ("EUR", "JPY", "USD"))
    reader = render(tmp_path / "s.pdf", lines)

    found = read_lines(reader)
    assert [(time, item.strip()) for time, item, *_ in found] == [
        (f"{line.timestamp:%Y-%m-%d %H:%M:%S}", line.item) for line in lines
    ]
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for _, _, quantity, price, currency, total in found:
        assert Decimal(price) * int(quantity) == Decimal(total)
        sums[currency] += Decimal(total)
    front = texts(reader)[0]
    header = make_header(lines)
    assert {entry.currency: entry.total for entry in header.totals} == sums
    for whole in header.totals:
        amount = money.bare(f"{whole.total:.2f}", whole.currency)
        row = f"Total of the period {whole.purchases} {whole.currency} {amount}\n"
        assert row in front
    for entry in header.months:
        amount = money.bare(f"{entry.total:.2f}", entry.currency)
        row = f"{entry.month:%B %Y} {entry.purchases} {entry.currency} {amount}\n"
        assert row in front


def test_years_have_four_digits_and_currencies_without_cents_none(tmp_path):
    early = datetime(12, 5, 31, 15, 54, 32, tzinfo=UTC)
    amounts = {"JPY": Decimal("1195.00"), "USD": Decimal("1195.00")}
    lines = [
        StatementLine(
            timestamp=early,
            item="old",
            quantity=2,
            price=price,
            currency=currency,
            total=price * 2,
        )
        for currency, price in amounts.items()
    ]
    reader = render(tmp_path / "s.pdf", lines)
    assert read_lines(reader) == [
        ("0012-05-31 15:54:32", "old", "2", "1195", "JPY", "2390"),
        ("0012-05-31 15:54:32", "old", "2", "1195.00", "USD", "2390.00"),
    ]
    assert "May 0012 1 JPY 2390\n" in texts(reader)[0]


def test_statement_says_whose_it_is_and_is_tagged(tmp_path):
    lines = make_lines(3)
    reader = render(tmp_path / "s.pdf", lines)

    (text,) = texts(reader)
    for shown in (
        "Corner Shop",
        "Statement of purchases",
        "joe",
        "005",
        "joe@example.org",
        "1 April 2024 to 31 May 2024",
        "2024-06-01 08:30:00 UTC",
        REPORT_ID,
        "Page 1 of 1",
    ):
        assert shown in text
    metadata: Any = reader.metadata
    assert metadata.title == ("Statement of purchases: joe (005), 1 April 2024 to 31 May 2024")
    assert metadata.author == "Corner Shop"
    assert metadata.creation_date == datetime(2024, 6, 1, 8, 30, tzinfo=UTC)
    assert b"<pdfuaid:part>1<" in reader.root_object["/Metadata"].get_data()
    assert reader.root_object["/ViewerPreferences"]["/DisplayDocTitle"]
    # 3 purchases, their header rows in two months, 2 months, the total and its header row.
    assert len(assert_tagged(reader)) == 3 + 2 + 2 + 1 + 1


def test_nothing_bought(tmp_path):
    reader = render(tmp_path / "s.pdf", [])
    (text,) = texts(reader)
    assert "No purchases in this period." in text
    assert "Page 1 of 1" in text
    assert_tagged(reader)


def test_volumes_become_one_document(tmp_path):
    lines = make_lines(260)
    whole = render(tmp_path / "whole.pdf", lines)
    reader = render(tmp_path / "volumes.pdf", lines, volume_pages=2)

    pages = len(reader.pages)
    assert pages > 4
    shown = texts(reader)
    assert shown == texts(whole)
    for number, text in enumerate(shown, 1):
        assert f"Page {number} of {pages}" in text
        assert f"Report {REPORT_ID}" in text
    # The running title and each column's title are on every page.
    for text in shown[1:]:
        assert "Statement of purchases: joe (005)" in text
        assert "Time (UTC) Item Quantity Unit price Currency Total\n" in text
    assert len(LINE.findall("".join(shown))) == len(lines)
    assert len(assert_tagged(reader)) == len(assert_tagged(whole))
    assert reader.metadata == whole.metadata
    assert f"NPages>{pages}<".encode() in reader.root_object["/Metadata"].get_data()

    bookmarks = [(mark.title, reader.get_destination_page_number(mark)) for mark in reader.outline]
    assert bookmarks == [
        (mark.title, whole.get_destination_page_number(mark)) for mark in whole.outline
    ]
    assert [title for title, _ in bookmarks] == [
        "Summary",
        "Purchases in April 2024",
        "Purchases in May 2024",
    ]
    for title, page in bookmarks:
        assert title in shown[page]


def starts_of_text(reader):
    """Return the distance of every piece of text from the left, in points."""
    starts: list[float] = []

    def note(text, cm, tm, font, size):
        starts.append(tm[4] + cm[4])

    for page in reader.pages:
        page.extract_text(visitor_text=note)
    return starts


def test_hostile_texts_are_shown_and_nothing_more(tmp_path):
    lines = make_lines(len(HOSTILE), items=HOSTILE)
    header = replace(
        make_header(lines),
        shop_name="#panic() " + "W" * 200,
        username=HOSTILE[0],
        userid=HOSTILE[2],
        email="e" * 254,
    )
    reader = render(tmp_path / "s.pdf", lines, header=header)
    assert_tagged(reader)

    found = read_lines(reader)
    assert len(found) == len(lines)
    for (_, shown, *_), line in zip(found, lines, strict=True):
        if line.item.isascii():
            assert squeeze(shown) == squeeze(clean_text(line.item))
    width = float(reader.pages[0].mediabox.width)
    assert max(starts_of_text(reader)) < width - layout.MARGIN_X


SCRIPTS = {
    "Japanese": "日本語の本 ガイド",
    "Chinese": "中文书籍",
    "Korean": "한국어 책",
    "Thai": "หนังสือภาษาไทย",
    "Devanagari": "हिन्दी किताब क्षत्रिय",
    "Hebrew": "ספר טוב",
    "Arabic": "كتاب جميل",
    "emoji": "📚 🎉",
    "currency signs": "₹ ₩ ₪ ฿ €",
}


def test_every_script_is_shown_and_stays_in_its_cell(tmp_path):
    items = [*SCRIPTS.values(), *(" ".join([text] * 12) for text in SCRIPTS.values())]
    items += ["".join([text.replace(" ", "")] * 20)[:150] for text in SCRIPTS.values()]
    lines = [
        replace(line, item=item) for line, item in zip(make_lines(len(items)), items, strict=True)
    ]
    header = replace(make_header(lines), username="نورة")
    output = tmp_path / "scripts.pdf"
    render_statement(header=header, lines=lines, output=output, volume_pages=1)
    reader = PdfReader(output)
    text = "".join(page.extract_text() for page in reader.pages)
    assert "\N{REPLACEMENT CHARACTER}" not in text
    shown = set(unicodedata.normalize("NFKC", text))
    pages: list[Any] = list(reader.pages)
    for name, item in SCRIPTS.items():
        wanted = {char for char in unicodedata.normalize("NFKC", item) if char.isalnum()}
        # An Arabic letter may be two glyphs, of which pypdf reads only one as a letter.
        missing = wanted - shown
        assert len(missing) <= (len(wanted) // 3 if name == "Arabic" else 0), name
    fonts = {
        str(font.get_object()["/BaseFont"]).partition("+")[2]
        for page in pages
        for font in page["/Resources"]["/Font"].values()
    }
    assert any("CJK" in font for font in fonts)
    width = float(reader.pages[0].mediabox.width)
    assert max(starts_of_text(reader)) < width - layout.MARGIN_X


def test_a_report_without_foreign_scripts_loads_no_fonts(tmp_path, monkeypatch):
    lines = make_lines(3)
    one = render_statement(header=make_header(lines), lines=lines, output=tmp_path / "one.pdf")
    monkeypatch.setattr(measure, "_PACKAGES", ("nothing_there", "nothing_either"))
    measure.font_folders.cache_clear()
    measure.glyphs.cache_clear()
    try:
        assert (
            clean_text("日😀 कa") == "\N{REPLACEMENT CHARACTER}" * 2 + " \N{REPLACEMENT CHARACTER}a"
        )
        two = render_statement(header=make_header(lines), lines=lines, output=tmp_path / "two.pdf")
    finally:
        monkeypatch.undo()
        measure.font_folders.cache_clear()
        measure.glyphs.cache_clear()
    assert one.sha256 == two.sha256


def test_a_web_process_does_not_load_the_workers_modules():
    script = (
        "import sys, shop.asgi; from django.urls import resolve; resolve('/');"
        "print(*sorted({'reports.services', 'reports.rendering', 'documents.volumes',"
        " 'typst'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=settings.BASE_DIR, capture_output=True, text=True
    )
    assert (loaded.returncode, loaded.stdout) == (0, "reports.services\n"), loaded.stderr


def test_the_same_input_gives_the_same_bytes(tmp_path):
    lines = make_lines(150)
    header = make_header(lines)
    reports = [
        render_statement(header=header, lines=lines, output=tmp_path / name, volume_pages=1)
        for name in ("one.pdf", "two.pdf")
    ]
    assert reports[0] == reports[1]
    other = render_statement(
        header=replace(header, email="jo@example.org"),
        lines=lines,
        output=tmp_path / "three.pdf",
        volume_pages=1,
    )
    assert other.sha256 != reports[0].sha256


def test_lines_must_add_up_to_the_totals(tmp_path):
    lines = make_lines(5)
    header = make_header(lines)
    with pytest.raises(TotalsDisagree, match="EUR"):
        render_statement(header=header, lines=lines[:-1], output=tmp_path / "s.pdf")
    with pytest.raises(TotalsDisagree):
        render_statement(
            header=replace(header, months=header.months[1:]),
            lines=lines,
            output=tmp_path / "s.pdf",
        )
    assert list(tmp_path.iterdir()) == []


def test_amounts_and_times_are_never_guessed(tmp_path):
    (line,) = make_lines(1)
    for wrong in (
        replace(line, total=Decimal("0.005")),
        replace(line, timestamp=datetime(2024, 4, 1)),
    ):
        with pytest.raises(ValueError, match=r"decimals|offset"):
            render_statement(header=make_header([wrong]), lines=[wrong], output=tmp_path / "s.pdf")


@pytest.fixture
def template(tmp_path, monkeypatch):
    """Replace the real template with another one."""

    def use(source: str) -> None:
        folder = tmp_path / "templates"
        folder.mkdir()
        template = folder / "volume.typ"
        template.write_text(source)
        monkeypatch.setattr(typeset, "TEMPLATE", template)

    return use


def children() -> set[str]:
    return {
        pid
        for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        if b"volumes/child.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    }


def test_time_limit_ends_the_child(tmp_path, template):
    template("#for a in range(100000) { for b in range(100000) { a = b } }")
    output = tmp_path / "out" / "s.pdf"
    output.parent.mkdir()
    output.write_text("earlier")
    with pytest.raises(RenderingTimeout, match="time limit"):
        render(output, [], time_limit=0.5)
    assert children() == set()
    assert output.read_text() == "earlier"
    assert list(output.parent.iterdir()) == [output]


@pytest.mark.parametrize(
    "source",
    [
        '#read("/etc/passwd")',
        '#read("../../../../../../etc/passwd")',
        "#panic()",
        "two #pagebreak() pages",
    ],
)
def test_template_errors_and_files_elsewhere_fail(tmp_path, template, source):
    template(source)
    with pytest.raises(RenderingFailed):
        render(tmp_path / "s.pdf", [])


def test_killed_child_is_reported(tmp_path, monkeypatch):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nkill -9 $$\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    with pytest.raises(RenderingFailed, match="SIGKILL"):
        render(tmp_path / "s.pdf", [])


def test_sales(tmp_path):
    lines = [
        SalesLine(
            username=f"customer-{index}",
            userid=f"{index:03}",
            currency=currency,
            purchases=index + 1,
            total=Decimal(index) + Decimal("0.30"),
        )
        for index in range(90)
        for currency in ("EUR", "USD")
    ]
    totals = [
        CurrencyTotal(
            currency=currency,
            purchases=sum(line.purchases for line in lines if line.currency == currency),
            total=sum((line.total for line in lines if line.currency == currency), Decimal()),
        )
        for currency in ("EUR", "USD")
    ]
    header = SalesHeader(
        report_id=REPORT_ID,
        shop_name="Corner Shop",
        since=date(2024, 5, 1),
        until=date(2024, 5, 31),
        generated_at=datetime(2024, 6, 1, tzinfo=UTC),
        months=[
            MonthTotal(
                month=date(2024, 5, 1),
                currency=entry.currency,
                purchases=entry.purchases,
                total=entry.total,
            )
            for entry in totals
        ],
        totals=totals,
    )
    path = tmp_path / "sales.pdf"
    report = render_sales(header=header, lines=iter(lines), output=path, volume_pages=1)
    reader = PdfReader(path, strict=True)
    assert report.pages == len(reader.pages) > 1
    assert_tagged(reader)
    text = "".join(texts(reader))
    assert "Sales by customer" in text
    assert f"Total of the period 4095 EUR {totals[0].total}\n" in text
    rows = re.findall(r"(customer-\d+) (\d+) (\d+) ([A-Z]{3}) (\d+\.\d\d)\n", text)
    assert rows == [
        (line.username, line.userid, str(line.purchases), line.currency, str(line.total))
        for line in lines
    ]


def test_no_sales(tmp_path):
    header = SalesHeader(
        report_id=REPORT_ID,
        shop_name="Corner Shop",
        since=date(2024, 5, 1),
        until=date(2024, 5, 1),
        generated_at=datetime(2024, 6, 1, tzinfo=UTC),
        months=[],
        totals=[],
    )
    render_sales(header=header, lines=[], output=tmp_path / "sales.pdf")
    (page,) = PdfReader(tmp_path / "sales.pdf").pages
    assert "No purchases in this period." in page.extract_text()
    assert "1 May 2024" in page.extract_text()
    assert not page.images


def test_the_logo_stands_beside_the_shop(tmp_path):
    for number, size in enumerate([(256, 20), (20, 256), (1, 1)]):
        file = io.BytesIO()
        Image.new("RGBA", size, (0, 128, 128, 200)).save(file, "PNG")
        header = replace(make_header([]), logo=file.getvalue(), shop_name="W" * 200)
        output = tmp_path / f"{number}.pdf"
        render_statement(header=header, lines=[], output=output)
        reader = PdfReader(output, strict=True)
        (picture,) = reader.pages[0].images
        assert picture.image is not None
        assert picture.image.size == size
        assert_tagged(reader)
        assert "W" * 20 in reader.pages[0].extract_text()


def test_what_was_billed_stands_before_the_purchases(tmp_path):
    day = date(2024, 5, 2)

    def moved(what, **amounts):
        return AccountLine(
            day=day, document="INV-2024-000001", what=what, currency="EUR", **amounts
        )

    header = replace(
        make_header([]),
        account=iter([moved("Invoice", more=Decimal(30)), moved("Payment", less=Decimal("42.50"))]),
        before=[AccountBalance(currency="EUR", amount=Decimal(5))],
        after=[
            AccountBalance(currency="EUR", amount=Decimal("-7.50")),
            AccountBalance(currency="JPY", amount=Decimal(0)),
        ],
    )
    reader = render(tmp_path / "s.pdf", [], header=header)
    text = squeeze("".join(texts(reader)))
    assert "Balancebefore2024-04-01EUR5.00" in text
    assert "2024-05-02INV-2024-000001PaymentEUR42.50" in text
    assert "Balanceon2024-05-31EUR7.50" in text
    assert_tagged(reader)
