"""PostgreSQL's rows of an export are equal to Python's."""

import csv
import io
import random
import re
import uuid
import zipfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import msgspec
import pytest
from django.test import Client

from accounts.models import Token, User
from audit.models import Waiting
from purchases import exports, workbook
from purchases.lines import csv_lines
from purchases.models import QUANTITY_MAX, Purchase
from purchases.representation import PurchaseData
from purchases.selectors import to_purchase_data
from purchases.validation import FIELDS
from shop.core.cells import guard, unguard

pytestmark = pytest.mark.django_db

NASTY = (
    *("", " ", "plain", 'a "quoted" one', '"', '""', "'", "\\", "\\n", "\\\\x", "a\nb", "a\r\nb"),
    *("\t", "a\tb", "\x01", "\x08\x0b\x0c\x1f", "\x7f\x80\x9f", "\u00e9", "e\u0301", "\U0001f600"),
    *("\u2028\u2029", "\u00a0=1", "\ufeff", "\ufffd", "\ufffe\uffff", "\U0010ffff", "\u202eabc"),
    *("\u65e5\u672c", "=1+1", "'=1+1", "''=1+1", "+1", "-1", "@SUM(1)", "\uff1d1", "\uff0b1"),
    *("\uff0d1", "\uff20x", "x;=1+1;", "cheap;@SUM(1+1)*cmd", "a,=1+1", "a\t=1", "a\r=1", "a\n=1"),
    *("\u200b=1", "\ufeff=1", "a;\u3000=1", "a;\u2003\u2060@x", "a|=1", "\u00ad=1", "a\u2028;=1"),
    *(
        "a;'=1",
        'a;"=1',
        "a; =1",
        ";;=",
        "\t=1",
        "\t\t=1",
        ' "=1',
        "a,-5 %",
        "a;b",
        "a,b",
        "</t>&amp;",
    ),
    *(
        "<b>",
        "_x0041_",
        "%s",
        "%(a)s",
        "{}",
        "$1",
        "NULL",
        "\\N",
        "\\.",
        "005",
        "1e5",
        "1/2",
        "null",
    ),
    "a" * 200,
)
ALPHABET = " '\"\\,;\t\r\n=+-@\uff1dax1\u00e9\u00a0\U0001f600\u2028\x01\x1f\x7f%{}<&_"


def texts(count: int) -> list[str]:
    """Return nasty texts, and random texts of their characters."""
    chance = random.Random(11)
    return [
        *NASTY,
        *("".join(chance.choices(ALPHABET, k=chance.randrange(1, 12))) for _ in range(count)),
    ]


def csv_line(cells: list[str], delimiter: str = ",") -> bytes:
    """Return Python's line of quoted cells."""
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerow(cells)
    return file.getvalue().encode()


def as_csv(rows: list[PurchaseData]) -> bytes:
    lines = [csv_line([guard(str(value)) for value in row.values()]) for row in rows]
    return (",".join(PurchaseData.__annotations__) + "\r\n").encode() + b"".join(lines)


def for_spreadsheets(rows: list[PurchaseData], delimiter: str) -> bytes:
    """Return the expected output of ``excel=1``."""
    lines = ["\ufeff".encode() + delimiter.join(PurchaseData.__annotations__).encode() + b"\r\n"]
    for row in rows:
        cells = {name: str(value) for name, value in row.items()}
        for name in ("username", "userid", "item"):
            cells[name] = '="' + guard(cells[name]).replace('"', '""') + '"'
        if delimiter == ";":
            cells |= {name: cells[name].replace(".", ",") for name in ("price", "total")}
        lines.append(csv_line(list(cells.values()), delimiter))
    return b"".join(lines)


def as_jsonl(rows: list[PurchaseData]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def as_original(head: dict[str, str], rows: list[PurchaseData]) -> bytes:
    purchases = [
        {
            "_id": row["id"],
            "username": row["username"],
            "userid": row["userid"],
            "price": row["price"],
            "timestamp": row["timestamp"][:23] + "Z",
        }
        for row in rows
    ]
    return msgspec.json.encode(head | {"purchases": purchases})


class Ledger:
    """A ledger of nasty texts, and an account that sees all of it."""

    def __init__(self) -> None:
        chance = random.Random(5)
        self.staff = User.objects.create(username="staff", userid="staff", is_staff=True)
        self.token = Token.objects.create(self.staff)[1]
        names = [text[:50] for text in texts(20)]
        customers = [
            User(username=f"{text}{number}", userid=f"{text}{number + 1}")
            for number, text in enumerate(names)
        ]
        User.objects.bulk_create(customers)
        start = datetime(2024, 2, 29, tzinfo=UTC)
        moments = [datetime(1, 1, 1, tzinfo=UTC), datetime(999, 12, 31, 23, 59, 59, 999999, UTC)]
        purchases = []
        for number, text in enumerate(texts(400)):
            moments.append(start - timedelta(microseconds=chance.randrange(2**47)))
            purchases.append(
                Purchase(
                    customer=customers[number % len(customers)],
                    recorded_by=self.staff,
                    item=text,
                    quantity=chance.choice([1, 7, QUANTITY_MAX]),
                    price=Decimal(chance.randrange(10 ** chance.randrange(1, 13))) / 100,
                    currency="EUR",
                    timestamp=moments[number],
                    received_at=start + timedelta(microseconds=number * 1001),
                    dedupe_key=uuid.uuid4(),
                )
            )
        Purchase.objects.bulk_create(purchases)

    def get(self, path: str, **headers: str) -> bytes:
        response: Any = Client(headers={"Authorization": f"Token {self.token}"} | headers).get(path)
        assert response.status_code == 200, response.content
        assert response["Cache-Control"] == "private, no-store"
        body: bytes = response.getvalue()
        return body

    def rows(self, *order: str, **filters: Any) -> list[PurchaseData]:
        queryset = Purchase.objects.select_related("customer").filter(**filters).order_by(*order)
        return [to_purchase_data(purchase) for purchase in queryset]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.mark.parametrize("at_once", [0, 10_000])
def test_exports_are_byte_for_byte_what_python_writes(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(exports, "AT_ONCE", at_once)
    rows = ledger.rows("-timestamp", "-id")
    assert len(rows) > 400
    path = "/api/v1/purchases/export"
    assert ledger.get(f"{path}.jsonl") == as_jsonl(rows)
    assert ledger.get(f"{path}.csv") == as_csv(rows)
    assert ledger.get(f"{path}.csv?excel=0") == as_csv(rows)
    assert ledger.get(f"{path}.csv?excel=1") == for_spreadsheets(rows, ",")
    german = {"Accept-Language": "de-AT,en;q=0.5"}
    assert ledger.get(f"{path}.csv?excel=1", **german) == for_spreadsheets(rows, ";")
    assert ledger.get(f"{path}.csv", **german) == as_csv(rows)
    cheap = [row for row in rows if Decimal(row["price"]) <= 10]
    assert 0 < len(cheap) < len(rows)
    assert ledger.get(f"{path}.jsonl?max_price=10") == as_jsonl(cheap)
    assert ledger.get(f"{path}.jsonl?item=nothing") == b""
    assert ledger.get(f"{path}.csv?item=nothing") == as_csv([])


@pytest.mark.parametrize("at_once", [0, 10_000])
def test_the_original_lists_are_byte_for_byte_what_python_writes(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(exports, "AT_ONCE", at_once)
    customer = User.objects.get(username__startswith='a "quoted" one')
    path = quote(customer.username)
    rows = ledger.rows("timestamp", "id", customer=customer)
    assert len(rows) > 1
    assert ledger.get(f"/buyList/{path}") == as_original({"status": "Ok!"}, rows)
    head = {"username": customer.username}
    assert ledger.get(f"/getAllUserBuys/{path}") == as_original(head, rows)
    assert ledger.get("/buyList/staff") == as_original({"status": "Ok!"}, [])


def test_a_csv_export_comes_back_as_it_was_and_begins_no_formula(ledger: Ledger) -> None:
    rows = ledger.rows("-timestamp", "-id")
    for path in ("export.csv", "export.csv?excel=1"):
        exported = ledger.get(f"/api/v1/purchases/{path}")
        for row, (_, read) in zip(rows, csv_lines(io.BytesIO(exported)), strict=True):
            for name in FIELDS:
                assert read.get(name, "") == str(row[name])  # type: ignore[literal-required]


def cells_of(data: bytes) -> list[list[list[str]]]:
    """Check a workbook's structure; return the cells of each sheet, as texts."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None
        sheets = ElementTree.fromstring(file.read("xl/workbook.xml")).iter(f"{space}sheet")
        types = file.read("[Content_Types].xml").decode()
        found = []
        for number, _ in enumerate(sheets, 1):
            assert f"/xl/worksheets/sheet{number}.xml" in types
            sheet = ElementTree.fromstring(file.read(f"xl/worksheets/sheet{number}.xml"))
            found.append([[cell_text(cell) for cell in row] for row in sheet.iter(f"{space}row")])
        return found


def cell_text(cell: Any) -> str:
    text = "".join(cell.itertext())
    if cell.get("t") != "inlineStr":
        # A plain number with a style for dates.
        return f"#{text}" if cell.get("s") == "2" else str(Decimal(text))
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), text)


@pytest.mark.parametrize("at_once", [0, 10_000])
def test_a_workbook_holds_texts_numbers_and_dates(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(exports, "AT_ONCE", at_once)
    monkeypatch.setattr(workbook, "SHEET_ROWS", 200)
    rows = ledger.rows("-timestamp", "-id")
    sheets = cells_of(ledger.get("/api/v1/purchases/export.xlsx"))
    assert [len(sheet) for sheet in sheets] == [200, 200, len(rows) + 3 - 400]
    lines = [line for sheet in sheets for line in sheet[1:]]
    unknown = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
    for row, line in zip(rows, lines, strict=True):
        texts = [unknown.sub("\ufffd", row[name]) for name in ("username", "userid", "item")]
        numbers = [str(row["quantity"]), row["price"], row["currency"], row["total"]]
        assert line[:8] == [row["id"], *texts, *numbers]
        for text, cell in ((row["timestamp"], line[8]), (row["received_at"], line[9])):
            moment = datetime.fromisoformat(text)
            if moment.year <= 1900:
                assert cell == text
            else:
                days = timedelta(days=float(cell.removeprefix("#")))
                assert (
                    abs(datetime(1899, 12, 30, tzinfo=UTC) + days - moment).total_seconds() < 1e-3
                )
    assert len(cells_of(ledger.get("/api/v1/purchases/export.xlsx?item=nothing"))[0]) == 1


def test_no_separator_that_a_spreadsheet_could_split_at_begins_a_formula() -> None:
    for text in texts(3000):
        cell = guard(text)
        assert unguard(cell) == text
        for separator in "\0,;|\t\r\n":
            for part in cell.split(separator):
                assert not part.lstrip(" \u00a0\u00ad\u200b\u2060\u2003\u3000\ufeff\"'").startswith(
                    tuple("=+-@\uff1d\uff0b\uff0d\uff20")
                ) or (part.startswith("'"))


def test_who_exports_everybodys_purchases_is_recorded() -> None:
    staff = User.objects.create(username="boss", is_staff=True)
    joe = User.objects.create(username="joe-of-exports")
    for user in (staff, joe):
        _, token = Token.objects.create(user=user)
        client = Client(headers={"Authorization": f"Token {token}"})
        assert client.get("/api/v1/purchases/export.csv?item=ink").status_code == 200
        assert client.head("/api/v1/purchases/export.csv").status_code == 200
        assert client.get("/api/v1/purchases/export.jsonl?since=x").status_code == 400
    entry = Waiting.objects.get(action="purchases.exported")
    assert (entry.actor_id, entry.after) == (staff.pk, {"format": "text/csv"})
    assert "ink" not in str(Waiting.objects.values())
