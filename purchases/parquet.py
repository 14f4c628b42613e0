"""The purchases of a month as a Parquet file, for tools that read figures from files."""

import os
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from purchases.models import (
    PRICE_DECIMAL_PLACES,
    PRICE_MAX_DIGITS,
    Purchase,
)
from shop.core.times import first_moment

ROWS = 50_000
TOTAL_MAX_DIGITS = 30
_COLUMNS = ("id", "userid", "item", "quantity", "price", "currency", "timestamp", "received_at")


def parquet_write(path: Path, month: date, zone: str = "UTC") -> int:
    """Write the purchases of the month that begins with a day, in a zone; return their number.

    They are in the order of their times. The file appears once it is complete. Raise
    ``ImproperlyConfigured`` where pyarrow is not installed.
    """
    arrow, parquet = _library()
    schema = _schema(arrow)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    count = 0
    try:
        with parquet.ParquetWriter(partial, schema, compression="zstd") as writer:
            for rows in _pages(*_bounds(month, zone)):
                writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
                count += len(rows)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _library() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ImproperlyConfigured(
            "pyarrow is not installed: pip install -r requirements-parquet.txt"
        ) from None
    return pyarrow, pyarrow.parquet


def _schema(arrow: Any) -> Any:
    moment = arrow.timestamp("us", tz="UTC")
    return arrow.schema(
        [
            ("id", arrow.string()),
            ("userid", arrow.string()),
            ("item", arrow.string()),
            ("quantity", arrow.int64()),
            ("price", arrow.decimal128(PRICE_MAX_DIGITS, PRICE_DECIMAL_PLACES)),
            ("currency", arrow.string()),
            ("timestamp", moment),
            ("received_at", moment),
            ("total", arrow.decimal128(TOTAL_MAX_DIGITS, PRICE_DECIMAL_PLACES)),
        ]
    )


def _bounds(month: date, zone: str) -> tuple[datetime, datetime]:
    following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    with timezone.override(ZoneInfo(zone)):
        return first_moment(month.replace(day=1)), first_moment(following)


def _pages(since: datetime, until: datetime) -> Iterator[list[dict[str, Any]]]:
    """Yield the purchases from ``since`` to before ``until``, all as they are at one moment."""
    rows = (
        Purchase.objects.filter(timestamp__gte=since, timestamp__lt=until)
        .annotate(userid=F("customer__userid"))
        .order_by("timestamp", "id")
        .values(*_COLUMNS)
    )
    page: list[dict[str, Any]] = []
    # The transaction is only read, so no event waits for it.
    with transaction.atomic():
        for row in rows.iterator(chunk_size=5000):
            page.append(row | {"id": str(row["id"]), "total": row["price"] * row["quantity"]})
            if len(page) == ROWS:
                yield page
                page = []
    if page:
        yield page
