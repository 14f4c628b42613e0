"""Requests, response times and users of all processes together, against what was planted."""

import random
import re
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from operations import beats, counting, instances, summing
from operations.counting import Book
from operations.histograms import HIGHEST, LOWEST, bucket_of, middle_of, percentile
from operations.tests.conftest import sql
from operations.tests.running import processes
from shop.core import metrics
from shop.core.process import Process

SERIES = "/api/v1/operations/series/"
NOW = "/api/v1/operations/now/"


def points(client: Client, metric: str, **parameters: Any) -> list[dict[str, Any]]:
    answer = client.get(SERIES, {"metric": metric, **parameters})
    assert answer.status_code == 200, answer.json()
    found: list[dict[str, Any]] = answer.json()["points"]
    return found


def test_merged_percentiles_are_within_5_percent_however_requests_are_split() -> None:
    chance = random.Random(5)
    shapes = [
        [chance.lognormvariate(-4, 1.5) for _ in range(5000)],
        [chance.uniform(0.001, 8) for _ in range(3000)],
        [chance.choice([0.001, 0.0109, 2.0]) for _ in range(400)],
        [0.25],
    ]
    for times in shapes:
        parts: list[dict[int, int]] = [{} for _ in range(4)]
        for each in times:
            part = chance.choice(parts)
            part[bucket_of(each)] = part.get(bucket_of(each), 0) + 1
        merged = {number: sum(p.get(number, 0) for p in parts) for p in parts for number in p}
        ordered = sorted(times)
        for part_of in (0.5, 0.95, 0.99):
            exact = ordered[max(0, ceil(part_of * len(ordered)) - 1)]
            found = percentile(merged, part_of)
            assert found is not None
            assert abs(found / exact - 1) < 0.05
    assert percentile({}, 0.5) is None
    for number in (LOWEST + 1, -7, 0, 13, HIGHEST - 1):
        assert bucket_of(middle_of(number)) == number
    assert [bucket_of(each) for each in (-1, 0, 1e-12, 1e9)] == [LOWEST] * 3 + [HIGHEST]


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the requests that wait to be counted, none of them from other tests."""
    metrics.answered.clear()
    return metrics.answered


def test_counting_keeps_totals_through_jumps_of_the_clock_and_outages(
    answered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Book()
    rows: dict[tuple[Any, ...], int] = {}

    def write() -> None:
        for row in book.unwritten():
            key = (row["minute"], row["run"], row["route"], row["status_class"])
            rows[key] = row["requests"]
        book.written()

    # An hour back, again, and forth: minutes that come twice are told apart.
    for minute in (1000, 1001, 941, 1001, 941, 942, 2000, 942):
        for _ in range(3):
            metrics.observe_request("GET", "a/", 200, 0.01)
        book.enter(minute)
        write()
        write()
    assert sum(rows.values()) == 24
    # In a long outage the oldest minutes are dropped, and counted.
    monkeypatch.setattr(counting, "MINUTES_MAX", 5)
    for minute in range(3000, 3020):
        metrics.observe_request("GET", "a/", 503, 0.01)
        book.enter(minute)
    assert book.dropped == 15
    assert sum(row["requests"] for row in book.unwritten()) == 5
    assert len(book.lived) == 5
    # Nobody takes requests: their number is bounded, and what is dropped is counted.
    monkeypatch.setattr(metrics, "ANSWERED_MAX", 2)
    before = metrics.registry.get_sample_value("shop_requests_not_kept_total") or 0
    for _ in range(5):
        metrics.observe_request("GET", "a/", 200, 0.01)
    assert len(answered) == 2
    assert metrics.registry.get_sample_value("shop_requests_not_kept_total") == before + 3
    answered.clear()


LOAD = (
    "[observe_request('GET', 'a/', 200, 0.010) for _ in range({good})];"
    "[observe_request('POST', 'b/', 500, 2.0) for _ in range({bad})];"
    "beats.report(this)"
)


@pytest.mark.django_db(transaction=True)
def test_requests_of_all_processes_sum_up_to_what_was_sent(operator: Client) -> None:
    """Also when one writes twice, and another is killed after its last report."""
    since = datetime.now(UTC) - timedelta(minutes=3)
    with processes("web", "live") as (web, live):
        web.run("beats.report(this)")
        web.run(LOAD.format(good=70, bad=5))
        live.run(LOAD.format(good=20, bad=1))
        for _ in range(3):
            web.run("beats.report(this)")
        web.run(LOAD.format(good=4, bad=0))
        # A write whose answer is lost is repeated.
        live.run(
            "from unittest.mock import patch; from operations.counting import book;"
            "patch.object(type(book), 'written', lambda self: None).start();"
            "beats.report(this); beats.report(this)"
        )
        # One user with three tabs in two processes.
        for each, tabs in ((web, 2), (live, 1)):
            each.run(f"[hub.sockets.take('account:77') for _ in range({tabs})]; beats.report(this)")
        now = operator.get(NOW).json()
        assert now["users"]["connected"] == 1
        assert now["users"]["sockets"] == 3
        assert now["instances"] == {"web": 1, "live": 1}
        scraped = operator.get("/metrics", {"scope": "site"}).content.decode()
        for each, route, status, number in (
            (web, "a/", "2xx", 74),
            (web, "b/", "5xx", 5),
            (live, "a/", "2xx", 20),
        ):
            line = re.search(
                rf'shop_http_requests_total{{instance="{each.id}",kind="\w+",route="{route}",'
                rf'status="{status}"}} (\S+)', scraped,
            )  # fmt: skip
            assert line is not None
            assert float(line[1]) == number
        assert "shop_instance_up" not in operator.get("/metrics").content.decode()
        web.kill()
        sql("UPDATE operations_instance SET seen_at = seen_at - interval '31 s' WHERE kind = 'web'")
        now = operator.get(NOW).json()
        assert now["users"] == {"connected": 1, "sockets": 1, "active": 1} | {
            "active": now["users"]["active"]
        }
        assert now["instances"] == {"live": 1}
        until = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
        span = {"since": since.isoformat(), "until": until}
        rates = points(operator, "requests_per_second", **span)
        assert sum(each["value"] * 60 for each in rates if each["value"] is not None) == (
            pytest.approx(100, abs=0.001)
        )
        assert sum(each.get("requests", 0) for each in rates) == 100
        # Before the first process there is a gap, and no zero.
        assert rates[0]["value"] is None
        errors = points(operator, "errors", **span)
        assert sum(each["value"] or 0 for each in errors) == 6
        only = points(operator, "requests_per_second", route="b/", **span)
        assert sum(each.get("requests", 0) for each in only) == 6
        hours = points(operator, "response_time", step=3600, **span)
        (times,) = [each for each in hours if each["value"] is not None]
        assert times["p50"] == pytest.approx(0.010, rel=0.05)
        assert times["p99"] == pytest.approx(2.0, rel=0.05)
        connected = points(operator, "users_connected", **span)
        assert max(each["value"] or 0 for each in connected) == 1
        alive = points(operator, "instances", **span)
        assert max(each["value"] or 0 for each in alive) == 2


@pytest.mark.django_db
def test_an_outage_of_postgresql_loses_no_count(
    operator: Client, answered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests only append to a list meanwhile; who cannot be told of is told of later."""
    monkeypatch.setattr(beats, "book", Book())
    monkeypatch.setattr(beats, "_database_is_ahead", None)
    this = Process("web")

    def away(*args: Any, **kwargs: Any) -> float:
        raise OperationalError("the server is away")

    with monkeypatch.context() as outage:
        outage.setattr(instances, "report", away)
        for _ in range(3):
            metrics.observe_request("GET", "a/", 200, 0.01)
            with pytest.raises(OperationalError):
                beats.report(this)
    metrics.observe_request("GET", "a/", 200, 0.01)
    beats.report(this)
    with monkeypatch.context() as outage:
        outage.setattr(instances, "report", away)
        metrics.observe_request("GET", "a/", 200, 0.01)
        with pytest.raises(OperationalError):
            beats.report(this)
    beats.report(this)
    assert sql("SELECT sum(requests) FROM operations_minute") == [(5,)]
    assert operator.get(NOW).json()["missing"] == []
    # What had to be dropped is shown.
    beats.book.dropped = 7
    beats.report(this)
    (missing,) = operator.get(NOW).json()["missing"]
    assert missing == {
        "instance": str(this.id), "kind": "web", "reason": "dropped", "requests": 7,
    }  # fmt: skip


@pytest.mark.django_db
def test_hours_are_sums_of_their_minutes_and_a_repeat_changes_nothing(operator: Client) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    for instance in (1, 2):
        for minute in range(0, 60, 2):
            at = hour + timedelta(minutes=minute)
            identifier = f"00000000-0000-0000-0000-{instance:012}"
            sql(
                "INSERT INTO operations_presence VALUES (%s, %s, 'web', 1, %s)",
                at, identifier, [7, 8][:instance],
            )  # fmt: skip
            sql(
                "INSERT INTO operations_minute (minute, instance_id, run, route, status_class,"
                " requests, seconds, numbers, counts)"
                " VALUES (%s, %s, 0, 'a/', 2, 30, 3.0, '{-30,-20}', %s)",
                at, identifier, [20, 10],
            )  # fmt: skip
    span = {"since": hour.isoformat(), "until": (hour + timedelta(hours=1)).isoformat()}
    before = {
        metric: points(operator, metric, step=3600, **span)
        for metric in ("requests_per_second", "response_time", "users_connected", "errors")
    }
    assert before["requests_per_second"][0] == {
        "at": hour.isoformat().replace("+00:00", ".000000Z"), "value": 1.0, "requests": 1800,
    }  # fmt: skip
    assert before["users_connected"][0]["value"] == 2
    for _ in range(2):
        summing.sum_up()
        assert sql("SELECT requests, seconds, numbers, counts FROM operations_hour") == [
            (1800, pytest.approx(180), [-30, -20], [1200, 600])
        ]
        assert sql("SELECT minutes, users, instances FROM operations_observedhour") == [(30, 2, 2)]
    # The minutes are dropped one day, and the hours tell the same.
    sql("DELETE FROM operations_minute")
    sql("DELETE FROM operations_presence")
    for metric, figures in before.items():
        assert points(operator, metric, step=3600, **span) == figures


@pytest.mark.django_db
def test_what_cannot_be_asked_is_said(operator: Client) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"metric": "turnover"}, "metric"),
        ({"metric": "errors", "step": 90}, "step"),
        ({"metric": "errors", "step": 0}, "step"),
        ({"metric": "errors", "since": "yesterday"}, "since"),
        ({"metric": "errors", "since": "2026-01-02T00:00Z", "until": "2026-01-01T00:00Z"}, "until"),
        ({"metric": "sign_ins", "route": "a/"}, "route"),
        ({"metric": "errors", "until": "0001-01-01T00:00Z"}, "until"),
        ({"metric": "errors", "since": "9999-12-31T23:59Z"}, "since"),
    ]
    for parameters, attr in wrong:
        answer = operator.get(SERIES, parameters)
        assert answer.status_code == 400, parameters
        assert answer.json()["errors"][0]["attr"] == attr
    much = operator.get(SERIES, {"metric": "errors", "since": "2026-01-01T00:00Z"})
    assert much.status_code == 400
    assert much.json()["errors"][0]["code"] == "too_many_points"
    for minutes in (0, 1441, "x"):
        assert operator.get(NOW, {"minutes": minutes}).status_code == 400
    empty = operator.get(NOW).json()
    assert empty["requests_per_second"] is None
    assert empty["response_time"] == {"p50": None, "p95": None, "p99": None}
    assert empty["turnover"]["verdict"] == "unknown"
    assert empty["missing"] == []
