"""Questions to the statistics API, and the same figures by plain SQL over the ledger."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.test import Client


def get(client: Client, kind: str, status: int = 200, /, **query: Any) -> Any:
    response = client.get(f"/api/v1/statistics/{kind}/", query)
    assert response.status_code == status, response.content
    return response.json()


def rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def money(value: Any) -> str:
    return f"{value:.2f}"


def ledger_between(since: datetime, until: datetime, more: str = "") -> dict[str, tuple[Any, ...]]:
    found = rows(
        f"""SELECT currency, count(*), sum(quantity), sum(price * quantity),
            count(DISTINCT customer_id) FROM purchases_purchase
        WHERE timestamp >= %s AND timestamp < %s {more} GROUP BY currency""",
        since,
        until,
    )
    return {row[0]: (row[1], row[2], money(row[3]), row[4]) for row in found}


def figures_of(part: Any) -> tuple[Any, ...]:
    return part["purchases"], part["quantity"], part["revenue"], part["customers"]


NONE = (0, 0, "0.00", 0)


def assert_equals_ledger(answer: Any, more: str = "") -> None:
    """Compare every period and the totals with the ledger, by their own bounds."""
    since, until = (datetime.fromisoformat(answer[name]) for name in ("since", "until"))
    totals = ledger_between(since, until, more)
    assert {block["currency"] for block in answer["currencies"]} == set(totals)
    for block in answer["currencies"]:
        currency = block["currency"]
        assert figures_of(block["totals"]) == totals[currency]
        periods = block["periods"]
        for name in ("purchases", "quantity"):
            assert sum(each[name] for each in periods) == block["totals"][name]
        revenue = sum(Decimal(each["revenue"]) for each in periods)
        assert money(revenue) == block["totals"]["revenue"]
        starts = [datetime.fromisoformat(each["start"]) for each in periods]
        ends = [datetime.fromisoformat(each["end"]) for each in periods]
        assert [since, *ends] == [*starts, until]
        for period, start, end in zip(periods, starts, ends, strict=True):
            if period["purchases"]:
                assert figures_of(period) == ledger_between(start, end, more)[currency]
            else:
                assert figures_of(period) == NONE
    found = sum(
        sum(each["purchases"] for each in block["periods"]) for block in answer["currencies"]
    )
    assert found == sum(each[0] for each in totals.values())
