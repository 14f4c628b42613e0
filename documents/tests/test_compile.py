"""The short path: its output, its speed, and a child that hangs or dies."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from pypdf import PdfReader

from documents import compile as short
from documents.compile import Child, compile_pdf, render_short
from documents.rendered import RenderingFailed, RenderingTimeout
from tests.system import wait_for

NOTE = Path(__file__).with_name("note.typ")
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def data(number: int = 0, **more: Any) -> dict[str, Any]:
    rows = [[f"Item {number}-{row}", str(row), f"{row}.00"] for row in range(15)]
    return {"title": f"Note {number}", "name": f"Customer {number}", "rows": rows, **more}


def text_of(path: Path) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(path, strict=True).pages)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[bool, Child]]:
    """Children of this test's own."""
    own = {needs: Child(child._fonts) for needs, child in short._children.items()}
    monkeypatch.setattr(short, "_children", own)
    yield own
    for child in own.values():
        child._stop()


def process_of(child: Child) -> int:
    assert child._process is not None
    return child._process.pid


def test_a_page_and_many(children: Any, tmp_path: Path) -> None:
    output = tmp_path / "note.pdf"
    one = render_short(NOTE, data(), output, generated=MOMENT)
    assert (one.pages, one.size) == (1, output.stat().st_size)
    assert "Item 0-14" in text_of(output)
    root: Any = PdfReader(output).trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    rows = [[f"Row {number}", "1", "2.00"] for number in range(200)]
    many = render_short(NOTE, data(rows=rows), output, generated=MOMENT)
    assert many.pages == len(PdfReader(output).pages) > 1
    assert "Row 199" in text_of(output)
    assert render_short(NOTE, data(), output, generated=MOMENT) == one


def test_texts_are_data_in_any_script(children: Any, tmp_path: Path) -> None:
    output = tmp_path / "note.pdf"
    compile_pdf(NOTE, data(), generated=MOMENT)
    assert children[True]._process is None
    names = ["日本語", "中文", "한국어", "हिन्दी", "ภาษาไทย", "ספר", "كتاب", "📚", "Ω Ж"]
    hostile = ['#panic("x")', "$x$ *b* ] [ { \\", "\u202eturned\u202c", "\U0010ffff", "\x00"]
    rows = [[name, "1", "2.00"] for name in names + hostile]
    render_short(NOTE, data(rows=rows), output, generated=MOMENT)
    shown = text_of(output)
    for name in ("日本語", "中文", "한국어", "📚", '#panic("x")', "Ω Ж"):
        assert name in shown
    assert shown.count("\N{REPLACEMENT CHARACTER}") == 2


def test_one_page_takes_no_longer_than_it_may(children: Any) -> None:
    """At least 20 one-page documents a second of one processor."""
    compile_pdf(NOTE, data(), generated=MOMENT)
    child = f"/proc/{process_of(children[False])}/stat"

    def seconds() -> float:
        fields = Path(child).read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    began = seconds()
    for number in range(40):
        compile_pdf(NOTE, data(number), generated=MOMENT)
    assert seconds() - began < 40 / 20


def test_a_child_that_hangs_is_replaced(children: Any) -> None:
    compile_pdf(NOTE, data(), generated=MOMENT)
    first = process_of(children[False])
    with pytest.raises(RenderingTimeout):
        compile_pdf(NOTE, data(forever=True), generated=MOMENT, seconds=0.5)
    assert not Path(f"/proc/{first}").exists()
    assert compile_pdf(NOTE, data(), generated=MOMENT).startswith(b"%PDF")
    assert process_of(children[False]) != first


def test_a_child_that_is_killed_is_replaced(children: Any) -> None:
    compile_pdf(NOTE, data(), generated=MOMENT)
    first = process_of(children[False])
    idle = sum(psutil.Process(first).cpu_times()[:2])

    def kill() -> None:
        # A child that has begun to compile uses the processor.
        wait_for(lambda: sum(psutil.Process(first).cpu_times()[:2]) > idle + 0.05)
        os.kill(first, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(RenderingFailed, match="typst's process ended"):
        compile_pdf(NOTE, data(forever=True), generated=MOMENT, seconds=30)
    killer.join()
    assert compile_pdf(NOTE, data(), generated=MOMENT).startswith(b"%PDF")
    # A child that dies between two documents fails neither of them.
    os.kill(process_of(children[False]), signal.SIGKILL)
    os.waitid(os.P_PID, process_of(children[False]), os.WEXITED | os.WNOWAIT)
    assert compile_pdf(NOTE, data(), generated=MOMENT).startswith(b"%PDF")


@pytest.mark.parametrize(
    "more", [{"panic": True}, {"reach": "/etc/passwd"}, {"reach": "../conftest.py"}, {"rows": 5}]
)
def test_a_template_that_fails_costs_no_child(children: Any, more: dict[str, Any]) -> None:
    compile_pdf(NOTE, data(), generated=MOMENT)
    first = process_of(children[False])
    with pytest.raises(RenderingFailed, match="typst: "):
        compile_pdf(NOTE, data(**more), generated=MOMENT)
    assert compile_pdf(NOTE, data(), generated=MOMENT).startswith(b"%PDF")
    assert process_of(children[False]) == first


def test_a_child_serves_so_many_and_ends_with_its_parent(
    children: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short, "SERVED_MAX", 2)
    used = set()
    for number in range(5):
        compile_pdf(NOTE, data(number), generated=MOMENT)
        used.add(process_of(children[False]))
    assert len(used) == 3
    monkeypatch.setattr(short, "SERVED_MAX", 1000)
    monkeypatch.setattr(short, "LARGE_BYTES", 1000)
    before = process_of(children[False])
    compile_pdf(NOTE, data(), generated=MOMENT)
    compile_pdf(NOTE, data(), generated=MOMENT)
    assert process_of(children[False]) != before
    process = children[False]._process
    children[False]._socket.close()
    assert process.wait(10) == 0


def test_threads_wait_for_each_other(children: Any) -> None:
    with ThreadPoolExecutor(4) as pool:
        same = list(pool.map(lambda n: compile_pdf(NOTE, data(n % 2), generated=MOMENT), range(8)))
    assert len(set(same)) == 2
    assert same[0] == same[2] == same[4]
