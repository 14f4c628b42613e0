"""A month as a Parquet file: exactly its purchases, in the zone's bounds, as numbers and times."""

import io
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from django.core.management import CommandError, call_command

from purchases import parquet
from purchases.tests.callers import Api


@pytest.mark.django_db(transaction=True)
def test_a_month_is_exactly_its_purchases(
    alice: Api, bob: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = [
        "2024-04-30T22:00:00Z",
        "2024-04-30T23:59:59.999999Z",
        "2024-05-01T00:00:00Z",
        "2024-05-31T21:59:59Z",
        "2024-05-31T23:59:59.999999Z",
        "2024-06-01T00:00:00Z",
    ]
    for number, moment in enumerate(moments):
        who = (alice, bob)[number % 2]
        answer = who.buy(timestamp=moment, price="1195.30", quantity=number + 1, item='=1+1,"ä"')
        assert answer.status_code == 201, answer.content
    monkeypatch.setattr(parquet, "ROWS", 2)
    assert _export(tmp_path, "2024-05") == moments[2:5]
    assert _export(tmp_path, "2024-05", "--time-zone", "Europe/Berlin") == moments[:4]
    assert _export(tmp_path, "2024-12") == []
    _export(tmp_path, "2024-05")
    first = pyarrow.parquet.read_table(tmp_path / "x.parquet").to_pylist()[0]
    assert first == {
        "id": first["id"],
        "userid": "id-alice",
        "item": '=1+1,"ä"',
        "quantity": 3,
        "price": Decimal("1195.30"),
        "currency": "EUR",
        "timestamp": datetime(2024, 5, 1, tzinfo=UTC),
        "received_at": first["received_at"],
        "total": Decimal("3585.90"),
    }
    for wrong in ("2024-13", "24-05", "2024-05-01", "0000-01", "9999-12"):
        with pytest.raises(CommandError):
            _export(tmp_path, wrong)
    with pytest.raises(CommandError, match="no time zone"):
        _export(tmp_path, "2024-05", "--time-zone", "Mars/Base")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(CommandError, match=r"requirements-parquet\.txt"):
        _export(tmp_path, "2024-05")
    # What was there before stays, and nothing half written is left.
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]


def _export(folder: Path, month: str, *options: str) -> list[Any]:
    path = folder / "x.parquet"
    call_command(
        "export_parquet", "--month", month, "--output", str(path), *options, stdout=io.StringIO()
    )
    table = pyarrow.parquet.read_table(path)
    times = [moment.isoformat() for moment in table.column("timestamp").to_pylist()]
    return [moment.replace("+00:00", "Z") for moment in times]
