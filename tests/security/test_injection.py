"""Hostile texts in mails, pages and statements."""

import io
import re
import time
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from pypdf import PdfReader

from accounts.mailing import mails_send
from documents.rendered import RenderingFailed
from documents.volumes.typeset import _Child, _Run
from reports.contents import (
    CurrencyTotal,
    MonthTotal,
    StatementHeader,
    StatementLine,
)
from reports.rendering import render_statement
from tests.access import PASSWORD
from tests.security.forms import sign_up_form
from tests.system import ROOT
from tests.world import World, world

__all__ = ["world"]


@pytest.mark.parametrize(
    "line", ["\r\nBcc: evil@example.com", "\nSubject: x", "\r\n\r\nbody", "%0a"]
)
def test_nothing_gets_into_the_head_of_a_mail(world: World, line: str) -> None:
    for field in ("username", "email"):
        account = {"username": "eve", "email": "eve@example.com", "password": PASSWORD}
        account[field] += line
        response = Client().post("/api/v1/accounts/", account, content_type="application/json")
        assert response.status_code == 400
        form = sign_up_form("eve")
        form[field] += line
        Client().post("/accounts/signup/", form)
        Client().post("/accounts/password/reset/", {"email": f"owner@example.com{line}"})
    mails_send()
    for message in mail.outbox:
        head = str(message.message()).partition("\n\n")[0]
        assert "evil@example.com" not in head
        assert len(message.recipients()) == 1


HOSTILE = [
    '#read("/etc/passwd")',
    '#import "@preview/cetz:0.3.1"',
    '#image("/etc/hostname")',
    '#include "/etc/passwd"',
    '#eval("1+1")',
    "$ 1/0 $ *bold* _it_ `raw` @ref <label> \\ #",
    '"); panic("x',
    "{{7*7}}{% debug %}${7*7}<%= 7*7 %>",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "../../etc/passwd",
    ")/JS(app.alert(1))/S/JavaScript<</OpenAction",
    "\u202eexe.fdp\u2066",
    "'; DROP TABLE purchases_purchase; --",
]


def test_texts_of_customers_are_shown_and_never_run(world: World) -> None:
    owner = Client(headers={"Authorization": f"Token {world.tokens['owner']}"})
    for text in HOSTILE:
        body = {"item": text, "price": "1"}
        response = owner.post("/api/v1/purchases/", body, content_type="application/json")
        if "\u202e" in text:
            # It would show as another text. Statements of older purchases may still contain one.
            assert response.status_code == 400
            continue
        assert response.status_code == 201
        assert response.json()["item"] == text
    for path in ("/", "/purchases/"):
        text = world.client("owner", api=False).get(path).content.decode()
        assert "{{7*7}}" in text
        assert "<script>alert" not in text
        assert "<img src=x" not in text


def _header(**fields: Any) -> StatementHeader:
    totals: dict[str, Any] = {
        "currency": "EUR",
        "purchases": len(HOSTILE),
        "total": Decimal(len(HOSTILE)),
    }
    return StatementHeader(
        report_id=uuid.uuid4(),
        since=date(2024, 5, 1),
        until=date(2024, 5, 31),
        generated_at=datetime(2024, 6, 1, tzinfo=UTC),
        months=[MonthTotal(month=date(2024, 5, 1), **totals)],
        totals=[CurrencyTotal(**totals)],
        **{"shop_name": "Shop", "username": "joe", "userid": "005", "email": "j@x.y"} | fields,
    )


def test_a_statement_shows_hostile_texts_and_runs_none(tmp_path: Path) -> None:
    moment = datetime(2024, 5, 5, tzinfo=UTC)
    lines = [
        StatementLine(
            timestamp=moment,
            item=text,
            quantity=1,
            price=Decimal(1),
            currency="EUR",
            total=Decimal(1),
        )
        for text in HOSTILE
    ]
    output = tmp_path / "statement.pdf"
    render_statement(
        header=_header(username=HOSTILE[0], userid=HOSTILE[10], shop_name=HOSTILE[7]),
        lines=lines,
        output=output,
    )
    data = output.read_bytes()
    reader = PdfReader(io.BytesIO(data))
    shown = "".join(page.extract_text() for page in reader.pages)
    shown = "".join(shown.split())
    for text in HOSTILE:
        clean = "".join(re.sub("[\u202e\u2066]", "", text).split())
        assert clean in shown, text
    assert "root:x:" not in shown
    assert "\u202e" not in shown
    catalog: Any = reader.trailer["/Root"]
    assert not {"/OpenAction", "/AA", "/AcroForm"} & set(catalog)
    assert not {"/JavaScript", "/EmbeddedFiles"} & set(catalog.get("/Names", {}))
    for page in reader.pages:
        assert "/AA" not in page
        assert not page.get("/Annots")


@pytest.mark.parametrize(
    "source",
    [
        '#read("/etc/passwd")',
        '#read("../../../../../../etc/passwd")',
        '#include "/etc/passwd"',
        '#import "@preview/cetz:0.3.1": *',
        '#image("http://127.0.0.1/x.png")',
        '#plugin("/bin/true")',
    ],
)
def test_even_a_hostile_template_reaches_no_file_and_no_network(
    tmp_path: Path, source: str
) -> None:
    """If a text were run as code, the root folder of the child process would still stop it."""
    (tmp_path / "volume.typ").write_text(f"= x\n{source}")
    run = _Run(folder=tmp_path, fonts=[], timestamp=0, deadline=time.monotonic() + 20)
    with (
        _Child(run, tmp_path / "volume.json", tmp_path) as child,
        pytest.raises(RenderingFailed, match="failed: "),
    ):
        child.wait()
    assert not list(tmp_path.glob("*.pdf"))


RAW = {
    "*.html": r"\|\s*safe\b|autoescape off|safeseq",
    "*.js": r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc",
    "*.py": r"\bmark_safe\(|SafeString\(|SafeText\(",
}
# The QR code is our own picture of digits and letters that we chose.
DRAWN = {"billing/pages/paying.py"}


@pytest.mark.parametrize("pattern", RAW)
def test_no_text_gets_into_a_page_unescaped(pattern: str) -> None:
    apps = [ROOT / each.name for each in ROOT.iterdir() if (each / "apps.py").exists()]
    files = [
        path for app in [*apps, ROOT / "templates", ROOT / "static"] for path in app.rglob(pattern)
    ]
    sources = {
        str(path.relative_to(ROOT)): path.read_text()
        for path in files
        if not {"tests", "vendor"} & set(path.parts)
    }
    assert len(sources) > 20
    raw = {name for name, text in sources.items() if re.search(RAW[pattern], text)}
    assert raw == (DRAWN if pattern == "*.py" else set())
