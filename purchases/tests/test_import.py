"""The import of other programs' files, through its command."""

import csv
import io
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from accounts.models import User
from purchases.models import Purchase
from purchases.moments import Moments, UnknownFormat

COLUMNS = "userid=ID,timestamp=Date,price=Amount"


def run(path: Path, columns: str = COLUMNS, **options: Any) -> str:
    output = io.StringIO()
    call_command(
        "import_purchases", path, columns=columns, stdout=output, stderr=io.StringIO(), **options
    )
    return output.getvalue()


def write(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding=encoding, newline="")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shop.csv"


def rejected(path: Path, **options: Any) -> list[dict[str, str]]:
    with path.open(newline="", encoding=options.pop("encoding", "utf-8")) as found:
        return list(csv.DictReader(found, **options))


def moments(date_format: str | None, zone: str = "Europe/Berlin", **options: bool) -> Moments:
    return Moments(date_format, ZoneInfo(zone), **options)


# --- Times --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date_format", "text", "expected"),
    [
        (None, "2024-05-31", "2024-05-30T22:00"),
        (None, "2024-05-31 10:00", "2024-05-31T08:00"),
        (None, "2024-05-31T10:00:01,5Z", "2024-05-31T10:00:01.5"),
        (None, "2024-05-31t10:00:00 +02:00", "2024-05-31T08:00"),
        ("%Y%m%d", "20240131", "2024-01-30T23:00"),
        ("%d/%m/%Y", "1/2/2024", "2024-01-31T23:00"),
        ("%d.%m.%y %H:%M", "01.02.24 9:05", "2024-02-01T08:05"),
        ("%d %b %Y %I:%M %p", "1 Feb 2024 1:05 pm", "2024-02-01T12:05"),
        ("%Y-%m-%d %H:%M:%S %Z", "2024-05-31 10:00:00 UTC", "2024-05-31T10:00"),
        ("%Y-%m-%d %H:%M:%S %z", "2024-05-31 10:00:00 -0100", "2024-05-31T11:00"),
        ("%Y-%j", "2024-032", "2024-01-31T23:00"),
    ],
)
def test_times_are_read_as_they_are_written(date_format: str | None, text: str, expected: str):
    assert moments(date_format).read(text) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("date_format", "text"),
    [
        (None, "1710103112345"),
        (None, "20240531"),
        (None, "2024-W22-5"),
        (None, "2024-05-31x10:00"),
        (None, "2024-05-31T10"),
        (None, "2024-05-31T25:00"),
        (None, "2024-02-30"),
        (None, "1899-12-31"),
        (None, "0024-05-31"),
        (None, "٢٠٢٤-05-31"),
        ("%Y%m%d", "2017011"),
        ("%Y%m%d", "1710103112345"),
        ("%Y%m%d", "2017 1 1"),
        ("%d%m%Y", "1122024"),
        ("%d.%m.%Y", "31.02.2024"),
        ("%d.%m.%Y", "31.12.1899"),
        ("%d.%m.%Y", "1.2.24"),
        ("%Y-%m-%d %H:%M:%S %Z", "2024-05-31 10:00:00 CET"),
        # The clocks were set from 2 to 3, and from 3 to 2.
        (None, "2024-03-31 02:30"),
        (None, "2024-10-27 02:30"),
    ],
)
def test_what_is_no_time_is_refused(date_format: str | None, text: str):
    with pytest.raises(ValueError, match=r"."):
        moments(date_format).read(text)


@pytest.mark.parametrize(
    "date_format", ["%Y", "%m-%d", "%c", "%Y-%m-%d %I", "%Y-%m-%d %W", "%Y%Y%m%d", "%", "", "%Y-%d"]
)
def test_formats_that_say_no_day_are_refused(date_format: str):
    with pytest.raises(UnknownFormat):
        moments(date_format)


def test_a_day_begins_with_its_first_moment_and_the_first_of_two_hours_can_be_chosen():
    # The clocks skipped midnight in São Paulo, and showed it twice in Havana.
    assert moments(None, "America/Sao_Paulo").read("2018-11-04") == datetime(
        2018, 11, 4, 3, tzinfo=UTC
    )
    assert moments(None, "America/Havana").read("2024-11-03") == datetime(
        2024, 11, 3, 4, tzinfo=UTC
    )
    read = moments(None, first_of_two=True).read
    assert read("2024-10-27 02:30") == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
    with pytest.raises(ValueError, match="skipped"):
        read("2024-03-31 02:30")


def test_what_is_no_time_is_told_with_an_example():
    with pytest.raises(ValueError, match=r"format %d\.%m\.%Y, such as 31\.05\.2024\."):
        moments("%d.%m.%Y").read("2024-05-31")


# --- Files --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_file_of_a_spreadsheet_in_another_country(file: Path):
    lines = [
        "Export vom 1.6.2024",
        'Kunde;"Käufer, Name";Datum;Betrag;Menge',
        '7;"Müller ";31.05.2024;1.195,30;1.000',
        "8;Ö;31.05.2024;12.50;1",
        ";;;;",
        "8;Ö;31.05.2024;12,5;1;;",
        "8;Ö;31.05.2024;12,5;1;;x",
        "8;Ö;31.05.2024",
    ]
    write(file, *lines, encoding="cp1252")
    options = {"delimiter": ";", "decimal": ",", "thousands": ".", "skip_lines": 1}
    columns = 'userid=Kunde,"username=Käufer, Name",timestamp=Datum,price=Betrag,quantity=Menge'
    options |= {"date_format": "%d.%m.%Y", "time_zone": "Europe/Berlin"}
    with pytest.raises(CommandError, match="cp1252"):
        run(file, columns, **options)
    assert run(file, columns, encoding="cp1252", **options).startswith(
        "2 recorded, 0 duplicates, 3 rejected"
    )
    first = Purchase.objects.get(customer__userid="7")
    assert (first.price, first.quantity) == (Decimal("1195.30"), 1000)
    assert first.customer.username == "Müller"
    # A user can correct the rejected lines and import them with the same command.
    left = file.with_name("shop.csv.rejected.csv")
    text = left.read_text(encoding="cp1252")
    assert text.startswith(lines[0])
    left.write_text(text.replace("12.50", "1.012,50"), encoding="cp1252", newline="")
    assert "1 recorded" in run(left, columns, encoding="cp1252", **options)
    again = run(file, columns, encoding="cp1252", **options)
    assert again.startswith("0 recorded, 2 duplicates, 3 rejected")
    # The corrected file is a user's work now, so the import keeps it.
    assert "shop.csv.rejected-2.csv" in again
    assert "1.012,50" in left.read_text(encoding="cp1252")


@pytest.mark.django_db
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "cp1252"])
def test_encodings(file: Path, encoding: str):
    write(file, "ID,Date,Amount,Was", "1,2024-05-31,1,Tür ß", encoding=encoding)
    if encoding.startswith("utf-16"):
        with pytest.raises(CommandError, match="utf-16"):
            run(file)
    columns = COLUMNS + ",item=Was"
    assert run(file, columns, encoding=encoding).startswith("1 recorded")
    assert Purchase.objects.get().item == "Tür ß"


@pytest.mark.django_db
def test_bytes_that_the_encoding_does_not_have_are_rejected(file: Path):
    file.write_bytes(b"ID,Date,Amount,Was\n1,2024-05-31,1,T\xfcr\n2,2024-05-31,1,x\n")
    assert run(file, COLUMNS + ",item=Was").startswith("1 recorded, 0 duplicates, 1 rejected")
    assert "not UTF-8" in file.with_name("shop.csv.rejected.csv").read_text(errors="replace")
    file.write_bytes(b"ID,Date,Amount,Was\n1,2024-05-31,1,T\x81r\n")
    assert "1 rejected" in run(file, COLUMNS + ",item=Was", encoding="cp1252")


@pytest.mark.django_db
def test_what_excel_says_of_the_delimiter_is_believed(file: Path):
    write(file, "sep=;", "ID;Date;Amount", '1;2024-05-31;"2"')
    assert run(file).startswith("1 recorded")
    write(file, "note", "ID\tDate\tAmount", "1\t2024-05-31\t3")
    assert run(file, skip_lines=1, delimiter="\t").startswith("1 recorded")
    write(file, "ID;Date;Amount", "1;2024-05-31;3")
    with pytest.raises(CommandError, match="--delimiter ';'"):
        run(file)


@pytest.mark.django_db
def test_lines_of_old_macs_and_lines_without_content(file: Path):
    file.write_bytes(b"ID,Date,Amount,Was\r1,2024-05-31,1,T\xc3\xbcr\r2,2024-05-31,2,\xff\r,,,\r")
    assert run(file, COLUMNS + ",item=Was").startswith("1 recorded, 0 duplicates, 1 rejected")
    assert Purchase.objects.get().item == "Tür"
    file.write_bytes("ID\tDate\tAmount\r1\t2024-05-31\t3\r".encode("utf-16"))
    assert run(file, encoding="utf-16", delimiter="\t").startswith("1 recorded")
    write(file, '"sep=;"', "ID;Date;Amount", "1;2024-05-31;4", " ; ;", "\xa0;;\t", '"";"";""')
    assert run(file).startswith("1 recorded, 0 duplicates, 0 rejected")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00", "save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save it as CSV"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "unpack it"),
        (b"", "no line with the names"),
        (b"\xef\xbb\xbf\r\n\r\n", "no line with the names"),
        ("ID,Date,Amount\n".encode("utf-16-le"), "utf-16-le"),
    ],
    ids=["xlsx", "xls", "gzip", "empty", "blank", "utf-16"],
)
def test_files_that_are_no_table_are_told_by_what_they_are(file: Path, content: bytes, told: str):
    file.write_bytes(content)
    with pytest.raises(CommandError, match=told):
        run(file)


@pytest.mark.django_db
def test_a_byte_of_a_broken_line_touches_no_other(file: Path):
    file.write_bytes(b"ID,Date,Amount,Was\n1,2024-05-31,1,a\x00b\n2,2024-05-31,2,x\n")
    assert run(file, COLUMNS + ",item=Was").startswith("1 recorded, 0 duplicates, 1 rejected")


@pytest.mark.django_db
def test_columns_are_stripped_quoted_and_unique(file: Path):
    write(file, 'ID , "Date, local" , Amount,,', '1,2024-05-31,"2"')
    with pytest.raises(CommandError, match="columns are"):
        run(file)
    write(file, 'ID ,"Date, local", Amount ,,', "1,2024-05-31,2")
    for columns in (
        'userid=ID,timestamp="Date, local",price=Amount',
        'userid=ID,"timestamp=Date, local",price=Amount',
    ):
        run(file, columns)
        assert Purchase.objects.count() == 1
    for columns in (
        "userid=ID,price=Amount,price=ID",
        'userid=ID,price="Amount',
        "userid=ID,cost=Amount",
        "userid=ID",
        "userid=ID,price=Amount",
    ):
        with pytest.raises(CommandError):
            run(file, columns)
    write(file, "ID,Date,Amount,Amount", "1,2024-05-31,2,3")
    with pytest.raises(CommandError, match="Several columns"):
        run(file)


@pytest.mark.django_db
def test_equal_lines_and_lines_without_a_time(file: Path):
    write(file, "No,ID,Date,Amount", *["1,7,2024-05-31,2"] * 3, "2,7,,2", "3,7,,2")
    first = run(file)
    assert first.startswith("1 recorded, 2 duplicates, 2 rejected\n2 lines of the file equal")
    assert all(
        "--key" in row["reason"] for row in rejected(file.with_name("shop.csv.rejected.csv"))
    )
    counted = run(file, count_equal=True)
    assert counted.startswith("4 recorded, 1 duplicates, 0 rejected\n3 lines")
    assert not file.with_name("shop.csv.rejected.csv").exists()
    assert run(file, count_equal=True).startswith("0 recorded, 5 duplicates")
    assert run(file, count_equal=True, dry_run=True).startswith("0 would be recorded, 5 dup")
    assert Purchase.objects.count() == 5
    named = run(file, "userid=ID,price=Amount", key="No")
    assert named.startswith("3 recorded, 2 duplicates, 0 rejected")
    assert run(file, "userid=ID,price=Amount", key="No").startswith("0 recorded, 5 duplicates")
    write(file, "No,ID,Date,Amount", "1,7,,2", "1,7,,3", ",7,,3")
    assert run(file, "userid=ID,price=Amount", key="No").startswith("0 recorded, 1 dup")
    reasons = [row["reason"] for row in rejected(file.with_name("shop.csv.rejected.csv"))]
    assert "with other values" in reasons[0]
    assert "No: " in reasons[1]


@pytest.mark.django_db
def test_a_dry_run_gives_the_counts_of_the_run(file: Path):
    write(file, "ID,Date,Amount", *["7,2024-05-31,2"] * 2, "8,2024-05-31,2", "8,2024-05-31,x")
    assert run(file, dry_run=True).startswith("2 would be recorded, 1 duplicates, 1 rejected")
    assert not Purchase.objects.exists()
    assert not User.objects.filter(userid="7").exists()
    assert run(file).startswith("2 recorded, 1 duplicates, 1 rejected")
    assert run(file, dry_run=True).startswith("0 would be recorded, 3 duplicates, 1 rejected")


@pytest.mark.django_db
def test_only_files_that_the_import_wrote_are_replaced(file: Path):
    left = file.with_name("shop.csv.rejected.csv")
    good, bad = "7,2024-05-31,2", "7,2024-05-31,x"
    run(write(file, "ID,Date,Amount", bad, bad))
    edited = left.read_text().replace(",x,", ",2,", 1)
    left.unlink()
    for text in ("mine\n", "ID,Date,Amount,reason\n1,2,3,4\n", "", edited):
        left.write_text(text)
        write(file, "ID,Date,Amount", good)
        run(file)
        write(file, "ID,Date,Amount", bad)
        assert "shop.csv.rejected-2.csv" in run(file)
        assert left.read_text() == text
        left.unlink()
        write(file, "ID,Date,Amount", good)
        file.with_name("shop.csv.rejected-2.csv").unlink()
    write(file, "ID,Date,Amount", bad)
    run(file)
    assert run(file).endswith("shop.csv.rejected.csv\n")
    (row,) = rejected(left)
    assert row["Amount"] == "x"
    assert "(line 2, " in row["reason"]
    # The import also takes a file of rejected lines.
    assert "1 rejected" in run(left)
    assert "1 rejected" in run(left.with_name("shop.csv.rejected.csv.rejected.csv"))
    write(file, "ID,Date,Amount", good)
    run(file)
    assert not left.exists()
    target = file.with_name("elsewhere.csv")
    target.write_text("mine")
    left.symlink_to(target)
    write(file, "ID,Date,Amount", bad)
    run(file)
    assert target.read_text() == "mine"


@pytest.mark.django_db
def test_a_customer_named_importer_is_no_obstacle(file: Path):
    User.objects.create(username="Importer", userid="99")
    User.objects.create(username="x", userid="importer")
    write(file, "ID,Date,Amount", "7,2024-05-31,2")
    assert run(file).startswith("1 recorded")
    purchase = Purchase.objects.get(customer__userid="7")
    assert purchase.recorded_by.is_client
    assert purchase.recorded_by.username == "system:importer"


def test_help_needs_no_settings_and_no_site_is_told_in_a_line(tmp_path: Path):
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, settings.BASE_DIR / "manage.py", "import_purchases", *arguments],
            env={"DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
        )

    assert "--columns" in command("--help").stdout
    missing = command("x.csv", "--columns", COLUMNS).stderr
    assert missing.startswith(f"manage.py: No site runs on {tmp_path}.")
    assert missing.count("\n") == 1


# --- The form of the shop -----------------------------------------------------------------------


@pytest.mark.django_db
def test_the_form_takes_typed_prices_and_the_api_does_not(client: Any):
    client.force_login(User.objects.create(username="joe", userid="5"))
    for number, (price, currency) in enumerate(
        [("12,50", "eur"), ("1.195,30", "EUR"), ("€ 12", ""), ("$5", "CAD"), ("1000", "JPY")]
    ):
        sent = {"price": price, "currency": currency, "item": f"i{number}"}
        assert client.post("/", sent, follow=True).status_code == 200
    found = Purchase.objects.order_by("item").values_list("price", "currency")
    amounts = [("12.50", "EUR"), ("1195.30", "EUR"), ("12", "EUR"), ("5", "CAD"), ("1000", "JPY")]
    assert list(found) == [(Decimal(amount), currency) for amount, currency in amounts]
    assert "¥1,000" in client.get("/purchases/").content.decode()
    above = client.get("/purchases/", {"min_price": "1.195,30"})
    assert (above.status_code, above.content.count(b"<tr data-id")) == (200, 1)
    for price in ("1,195", "€ 5", "x"):
        answer = client.post("/", {"price": price, "currency": "USD"})
        assert (answer.status_code, price in answer.content.decode()) == (400, True)
    body = {"price": "12,50"}
    answer = client.post("/api/v1/purchases/", body, content_type="application/json")
    assert answer.status_code == 400


@pytest.mark.django_db
def test_numbers_that_cannot_be_read_are_told_with_an_example(file: Path):
    write(file, "ID,Date,Amount,Count", '7,2024-05-31,"12,50",1', '7,2024-05-31,12.50,"1.000"')
    run(file, f"{COLUMNS},quantity=Count")
    price, quantity = [row["reason"] for row in rejected(file.with_name("shop.csv.rejected.csv"))]
    assert "'12,50' is not a number written like 1195.30. --decimal and --thousands" in price
    # A price of a thousand would be such a number.
    assert "A valid integer is required." in quantity
