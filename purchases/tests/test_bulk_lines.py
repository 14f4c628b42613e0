"""Lines of bulk requests and imports: valid ones are recorded, invalid ones reported."""

import csv
import io
import json
import tracemalloc
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from purchases.bulk import CHUNK
from purchases.lines import csv_lines, json_lines
from purchases.models import Purchase
from purchases.tests.callers import WHEN, Api
from shop.core.errors import ApplicationError

pytestmark = pytest.mark.django_db


def test_bulk_takes_the_good_lines_and_names_the_bad(alice: Api):
    path = "/api/v1/purchases/bulk/"
    lines = [{"price": 1, "timestamp": WHEN}, {"price": -1}, {"price": 2, "timestamp": WHEN}]
    body = "\n".join(map(json.dumps, [*lines, lines[0]])) + "\n{bad\n"
    expected = {"recorded": 2, "duplicates": 1, "rejected": 2}
    dry = alice.post(path + "?dry_run=1", body, "application/x-ndjson").json()
    assert {name: dry[name] for name in expected} == expected
    assert not Purchase.objects.exists()
    result = alice.post(path, body, "application/x-ndjson").json()
    assert {name: result[name] for name in expected} == expected
    assert [error["line"] for error in result["errors"]] == [2, 5]
    again = alice.post(path, json.dumps(lines), "application/json").json()
    assert (again["recorded"], again["duplicates"], again["rejected"]) == (0, 2, 1)
    table = "price,timestamp,item\n1," + WHEN + ',\n3,,"a\nb"\nx,,\n1\n'
    csv_result = alice.post(path, table, "text/csv").json()
    assert (csv_result["recorded"], csv_result["duplicates"], csv_result["rejected"]) == (0, 1, 3)
    assert alice.post(path, "{}", "application/json").status_code == 400
    assert alice.post(path, "a,b\n", "text/csv").status_code == 400
    assert alice.post(path, "x", "text/plain").status_code == 415


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'[{"a":' * 60_000,
        b"[[" + b"1," * 500_000 + b"1]]",
        b'[{"price": 1}] x',
        b'[{"price": 1}',
        b'["' + b"x" * 5_000_000,
        b'["' + rb"\u0041" * 1_000_000 + b'"]',
        b"[" + b"1" * 5_000_000 + b"]",
        b"[" + (b"[" + b"[]," * 5000 + b"[]],") * 10,
    ],
)
def test_a_hostile_array_is_an_error_in_little_memory(body: bytes):
    file = io.BytesIO(body)
    tracemalloc.start()
    ((_, last),) = deque(json_lines(file), 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(last, ApplicationError)
    assert peak < 20_000_000


@pytest.mark.parametrize(
    "bad",
    [
        "1" * 4301,
        '{"price": 1e99999999999999999999}',
        '{"price": 1e-99999999999999999999}',
        f'{{"price": {"9" * 5000}}}',
        r'{"price": 1, "item": "A\ud83dB"}',
        r'{"price": 1, "item": "\udead"}',
        r'{"price": 1, "item": "\u0000"}',
        '{"price": 1, "item": "\x00"}',
        '{"price": 1, "item": "' + "x" * 20_000 + '"}',
        "[" * 2000 + "]" * 2000,
        '{"price": 0e999999999999, "quantity": 0e999999999999}',
        '{"price": 1]',
        "NaN",
        "tru",
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "application/x-ndjson"])
def test_a_bad_element_or_line_is_one_error_and_touches_no_other(
    alice: Api, content_type: str, bad: str
):
    lines = ['{"price": 1}', bad, '{"price": "2", "item": "[{]},\\\\"}']
    array = content_type == "application/json"
    body = f"\ufeff[{', '.join(lines)}]" if array else "\ufeff" + "\n".join(lines)
    result = alice.post("/api/v1/purchases/bulk/", body, content_type).json()
    assert (result["recorded"], result["rejected"]) == (2, 1)
    assert result["errors"][0]["line"] == 2
    assert {purchase.item for purchase in Purchase.objects.all()} == {"", "[{]},\\"}
    if "price" in bad:
        single = alice.post("/api/v1/purchases/", bad, "application/json")
        assert (single.status_code, single.json()["type"][-5:]) in ((400, "error"),)


def test_an_open_quote_in_each_line_costs_no_more_than_a_constant_number_of_readings():
    """The test counts the bytes that the reader decodes, because times vary."""
    read = 0

    class Counted(bytes):
        def decode(self, *arguments: Any) -> str:
            nonlocal read
            read += len(self)
            return super().decode(*arguments)

    class File(io.BytesIO):
        def readline(self, size: int | None = -1) -> bytes:
            return Counted(super().readline(size))

    for line in (b'x","\n', b'1,"open\n', b'"\n', b'1,"a"b\n', b'1,"' + b"x" * 500 + b"\n"):
        body = b"price,item\n" + line * 3000
        read = 0
        assert sum(1 for _ in csv_lines(File(body))) > 0
        assert read <= len(body) * 10


def test_blank_lines_without_end_are_refused(alice: Api):
    for content_type in ("application/x-ndjson", "text/csv"):
        body = b"price\n" + b"\n" * 1_000_001
        answer = alice.post("/api/v1/purchases/bulk/", body, content_type)
        assert answer.status_code == 413


def test_a_repeated_bulk_request_with_a_key_records_nothing_twice(alice: Api):
    body = '{"price": 1}\n{"price": 1}\n'
    first, again = (
        alice.post(
            "/api/v1/purchases/bulk/", body, "application/x-ndjson", **{"Idempotency-Key": "b"}
        ).json()
        for _ in range(2)
    )
    assert (first["recorded"], again["duplicates"]) == (2, 2)


def test_bulk_shows_the_errors_of_the_first_lines(till: Api):
    taken = {"userid": "1", "username": "id-till", "price": 1}
    till.buy(userid="1", username="carol")
    body = (json.dumps(taken) + "\n") * 2000 + "{bad\n" * 1000 + '{"price": 1}\n'
    result = till.post("/api/v1/purchases/bulk/", body, "application/x-ndjson").json()
    assert (result["recorded"], result["rejected"]) == (1, 3000)
    assert [error["line"] for error in result["errors"]] == list(range(1, 1001))
    assert result["errors"][0]["errors"][0]["code"] == "userid_conflict"


# Unreadable rows of CSV, each on one line, with a word of the reason.
BROKEN_LINES = {
    "1,a\rb": "carriage return",
    "1," + "x" * 17_000: "bytes",
    '1,"open': "not closed",
    '1,"a"b': "expected after",
}


@pytest.mark.parametrize("broken", BROKEN_LINES, ids=BROKEN_LINES.values())
def test_a_line_that_is_no_csv_touches_no_other(alice: Api, broken: str):
    # More than two chunks of rows, and more than one block of bytes.
    rest = [f"1,item {number:060}" for number in range(2 * CHUNK + 1000)]
    lines = ["price,item", "1,first", broken, *rest]
    body = "\n".join(lines) + "\n"
    assert len(body) > 256 * 1024
    result = alice.post("/api/v1/purchases/bulk/", body.encode(), "text/csv").json()
    assert (result["recorded"], result["rejected"]) == (len(rest) + 1, 1)
    (error,) = result["errors"]
    assert error["line"] == 3
    assert BROKEN_LINES[broken] in error["errors"][0]["detail"]


def test_a_quote_that_stays_open_takes_no_line_with_it(alice: Api):
    body = 'price,item\n1,"open\n\n2,x\n3,"y"\n4,"open\n5,z\n'
    result = alice.post("/api/v1/purchases/bulk/", body, "text/csv").json()
    assert result["recorded"] == 3
    assert [error["line"] for error in result["errors"]] == [2, 6]


def _import(path: Path, columns: str) -> str:
    output = io.StringIO()
    call_command("import_purchases", path, columns=columns, stdout=output, stderr=io.StringIO())
    return output.getvalue()


@pytest.mark.parametrize("broken", BROKEN_LINES, ids=BROKEN_LINES.values())
def test_an_import_goes_on_after_a_line_that_is_no_csv(tmp_path: Path, broken: str):
    lines = [
        "ID,Amount,Date",
        f"1,1,{WHEN}",
        f"2,{broken}",
        "",
        *[f"3,{n},{WHEN}" for n in range(4_999)],
    ]
    path = tmp_path / "purchases.csv"
    path.write_text("\n".join(lines) + "\n", newline="")
    columns = "userid=ID,price=Amount,timestamp=Date"
    assert _import(path, columns).startswith("5000 recorded, 0 duplicates, 1 rejected")
    assert _import(path, columns).startswith("0 recorded, 5000 duplicates, 1 rejected")
    with path.with_name("purchases.csv.rejected.csv").open(newline="") as file:
        (rejected,) = csv.DictReader(file)
    assert rejected["ID"].startswith(f"2,{broken}"[:16_000])
    assert BROKEN_LINES[broken] in rejected["reason"]


def test_an_import_refuses_a_header_that_is_no_csv(tmp_path: Path):
    path = tmp_path / "purchases.csv"
    path.write_text("ID\rAmount\n1,2\n", newline="")
    with pytest.raises(CommandError, match="The header"):
        _import(path, "userid=ID,price=Amount,timestamp=Date")
