"""What a deploy changed is found, and what it did not change is not."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from operations.effects import FIGURES, Block, Comparison
from operations.histograms import bucket_of
from operations.tests.conftest import sql
from shop.core.partitions import make_partitions


def blocks(
    chance: random.Random, *, slower: float = 1.0, errors: float = 0.01, requests: int = 150
) -> list[Block]:
    """Return an hour of traffic whose level and speed wander, as real ones do."""
    found = []
    for _ in range(12):
        speed = slower * chance.lognormvariate(0, 0.06)
        number = int(requests * chance.lognormvariate(0, 0.15))
        block = Block(minutes=5, requests=number)
        for _ in range(number):
            bucket = bucket_of(speed * chance.lognormvariate(-4, 0.8))
            block.buckets[bucket] = block.buckets.get(bucket, 0) + 1
            block.errors += chance.random() < errors
        found.append(block)
    return found


def test_20_deploys_without_effect_raise_at_most_one_alarm() -> None:
    chance = random.Random(3)
    alarms = 0
    for number in range(20):
        # The hour of the day makes everything slower, now and a week before.
        daily = chance.choice([1.0, 1.3])
        hours = [
            blocks(chance, slower=slower, requests=requests)
            for slower, requests in ((1, 150), (daily, 200), (1, 120), (daily, 160))
        ]
        compared = Comparison(*hours, seed=str(number))
        verdicts = {compared.judge(figure).verdict for figure in FIGURES.values()}
        alarms += not verdicts <= {"no_evidence"}
    assert alarms <= 1


def test_planted_effects_are_found_and_too_few_requests_are_said() -> None:
    chance = random.Random(8)
    hour = [blocks(chance) for _ in range(3)]
    slow = Comparison(hour[0], blocks(chance, slower=1.5), hour[1], hour[2])
    found = slow.judge(FIGURES["response_time"])
    assert found.verdict == "worse"
    assert found.low is not None
    assert found.high is not None
    assert found.ratio is not None
    assert found.low < 1.5 < found.high * 1.1
    assert found.ratio == pytest.approx(1.5, rel=0.15)
    fast = Comparison(hour[0], blocks(chance, slower=0.6), hour[1], hour[2])
    assert fast.judge(FIGURES["response_time"]).verdict == "better"
    broken = Comparison(hour[0], blocks(chance, errors=0.08), hour[1], hour[2])
    assert broken.judge(FIGURES["errors"]).verdict == "worse"
    assert broken.judge(FIGURES["response_time"]).verdict == "no_evidence"
    # One bad minute is no change, nor are a few errors.
    burst = blocks(chance, errors=0)
    burst[3].errors = 9
    calm = [blocks(chance, errors=0) for _ in range(3)]
    assert Comparison(calm[0], burst, *calm[1:]).judge(FIGURES["errors"]).verdict == "no_evidence"
    # Without a week before the two times are compared alone, but not their traffic.
    alone = Comparison(hour[0], blocks(chance, slower=1.5, requests=20), [], [])
    assert alone.judge(FIGURES["response_time"]).verdict == "worse"
    assert alone.judge(FIGURES["requests_per_second"]).verdict == "no_evidence"
    few = Comparison(hour[0], blocks(chance, requests=5), hour[1], hour[2])
    assert {few.judge(each).verdict for each in FIGURES.values()} == {"not_enough_requests"}


@pytest.mark.django_db
def test_a_deploy_is_recorded_by_a_command(operator: Client) -> None:
    moment = "2026-11-27T14:05:00+00:00"
    call_command("record_deploy", "v9", "--by", "make deploy", "--started-at", moment)
    for wrong in ("yesterday", "2026-11-27T14:05:00"):
        with pytest.raises(CommandError):
            call_command("record_deploy", "v9", "--started-at", wrong)
    (found,) = operator.get("/api/v1/operations/deploys/").json()["results"]
    assert (found["version"], found["by"]) == ("v9", "make deploy")
    assert found["started_at"].startswith("2026-11-27T14:05:00")
    for body in ({}, {"version": "v", "started_at": "2099-01-01T00:00Z"}, {"version": "x" * 101}):
        answer = operator.post("/api/v1/operations/deploys/", body, content_type="application/json")
        assert answer.status_code == 400


@pytest.mark.django_db
def test_the_effect_of_a_deploy_is_answered(operator: Client) -> None:
    chance = random.Random(4)
    deployed = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=2)
    week = timedelta(days=7)
    for table in ("operations_minute", "operations_presence"):
        days = (deployed - week - timedelta(days=1)).date(), deployed.date() + timedelta(days=1)
        make_partitions(table, *days)
    for begins, slower in ((deployed - week, 1.0), (deployed, 1.0)):
        for minute in range(-60, 60):
            at = begins + timedelta(minutes=minute)
            late = 1.5 if begins == deployed and minute >= 0 else slower
            counts: dict[int, int] = {}
            for _ in range(20):
                bucket = bucket_of(late * chance.lognormvariate(-4, 0.5))
                counts[bucket] = counts.get(bucket, 0) + 1
            values: list[Any] = [list(counts), list(counts.values())]
            sql("INSERT INTO operations_presence VALUES (%s, %s, 'web', 0, '{}')", at, IDENTIFIER)
            sql(
                "INSERT INTO operations_minute (minute, instance_id, run, route, status_class,"
                " requests, seconds, numbers, counts) VALUES (%s, %s, 0, 'a/', 2, 20, 1, %s, %s)",
                at, IDENTIFIER, *values,
            )  # fmt: skip
    body = {"version": "2.0", "started_at": deployed.isoformat(), "notes": "a new cache"}
    headers = {"Idempotency-Key": "d-1"}
    url = "/api/v1/operations/deploys/"
    made = operator.post(url, body, content_type="application/json", headers=headers)
    assert made.status_code == 201, made.json()
    again = operator.post(url, body, content_type="application/json", headers=headers)
    assert again.json() == made.json()
    assert again["Idempotent-Replayed"] == "true"
    assert [each["version"] for each in operator.get(url).json()["results"]] == ["2.0"]
    effect = operator.get(f"{url}{made.json()['id']}/effect/").json()
    assert effect["complete"] is True
    slower = effect["metrics"]["response_time"]
    assert slower["verdict"] == "worse"
    assert slower["week_before"] == pytest.approx(slower["before"], rel=0.2)
    assert slower["low"] < slower["ratio"] < slower["high"]
    assert effect["metrics"]["errors"]["verdict"] == "no_evidence"
    span = {"since": (deployed - timedelta(minutes=5)).isoformat()}
    told = operator.get("/api/v1/operations/series/", {"metric": "errors", **span}).json()
    assert [each["version"] for each in told["deploys"]] == ["2.0"]
    assert operator.get(f"{url}{IDENTIFIER}/effect/").status_code == 404


IDENTIFIER = "00000000-0000-0000-0000-000000000001"
