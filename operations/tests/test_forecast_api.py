"""The forecast of the shop's own figures."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from operations import forecasts
from operations.tests.conftest import sql
from shop.core.partitions import make_partitions

URL = "/api/v1/operations/forecast/"


@pytest.mark.django_db
def test_requests_are_forecast_from_hours_and_too_little_history_is_said(operator: Client) -> None:
    little = operator.get(URL).json()
    assert (little["status"], little["points"]) == ("not_enough_history", [])
    assert little["days_missing"] >= 15
    missing = f"A forecast needs {little['days_missing']} more days of history."
    assert missing in operator.get("/operations/").content.decode()
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    first = hour - timedelta(days=24)
    for table in ("operations_hour", "operations_observedhour"):
        make_partitions(table, first.date(), hour.date())
    for place in range(24 * 24):
        at = first + timedelta(hours=place)
        # Busy days, quiet nights, and quiet Sundays.
        requests = 3600 * (2 + 8 * (8 <= at.hour < 20)) // (3 if at.weekday() == 6 else 1)
        sql("INSERT INTO operations_observedhour VALUES (%s, 60, 0, 1, 0, 0)", at)
        sql(
            "INSERT INTO operations_hour VALUES (%s, 'a/', 2, %s, 1, '{0}', %s)",
            at, requests + place % 7, [requests],
        )  # fmt: skip
    forecasts.forget()
    made = operator.get(URL, {"horizon": 12}).json()
    assert made["status"] in ("ok", "no_better_than_naive")
    assert len(made["points"]) == 12
    assert made["points"][0]["at"].startswith(f"{hour:%Y-%m-%dT%H:00:00}")
    assert made["backtest"]["skill"] >= 0
    for point in made["points"]:
        assert 0 <= point["low95"] <= point["low80"] <= point["mean"]
        assert point["mean"] <= point["high80"] <= point["high95"]
    # The page shows them with their band, and as a table.
    page = operator.get("/operations/").content.decode()
    assert "80 of 100 lie within" in page
    assert page.count("like a week ago") >= 1
    drawn = page.split("Requests a second, the next 24 hours")[-2].split('class="area" d="')[1]
    assert drawn.split('"')[0].count("L") == 47
    for wrong in ({"horizon": 0}, {"horizon": 200}, {"metric": "errors"}):
        assert operator.get(URL, wrong).status_code == 400
