"""No question to the statistics or the dashboard makes PostgreSQL read the whole ledger."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from accounts.models import User
from insight import remembered
from insight.tests.test_rollups import follow_all, some

LEDGER = ("purchases_purchase", "events_event")
YEAR = {"since": "2024", "until": "2024"}
QUESTIONS: list[dict[str, str]] = [
    YEAR,
    YEAR | {"time_zone": "Asia/Kathmandu"},
    YEAR | {"item": "book"},
    YEAR | {"username": "buyer 1"},
    {"since": "2024-03-01T10:07:00Z", "until": "2024-09-01T20:07:00Z", "interval": "month"},
]
KINDS = ("sales", "items", "customers", "cohorts", "weekdays")


@pytest.fixture
def as_if_large() -> Iterator[None]:
    """Let PostgreSQL plan as for ten million purchases, of which the last is not rolled up."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    some(300, start=start, days=365)
    follow_all()
    some(1, seed=2, start=start, days=365)
    told = "SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', %s, "
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        for table in LEDGER:
            cursor.execute(f"{told} 'relpages', 10, 'reltuples', 1e7::real)", [table])
    yield
    with connection.cursor() as cursor:
        for table in LEDGER:
            cursor.execute(f"{told} 'relpages', 0, 'reltuples', -1::real)", [table])


class Plans:
    """The plans of what is asked meanwhile."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip()[:6] in ("SELECT", "WITH s", "WITH f", "WITH b") and any(
            table in sql for table in LEDGER
        ):
            execute(f"EXPLAIN (FORMAT JSON) {sql}", params, many, context)
            (plan,) = context["cursor"].fetchone()
            plan = json.loads(plan) if isinstance(plan, str) else plan
            self.count += 1
            for node in _nodes(plan[0]["Plan"]):
                assert not _reads_all(node), (_drawn(plan[0]["Plan"]), sql)
        return execute(sql, params, many, context)


def _nodes(plan: dict[str, Any], limited: bool = False) -> Iterator[dict[str, Any]]:
    yield plan | {"limited": limited}
    for each in plan.get("Plans", ()):
        yield from _nodes(each, limited or plan["Node Type"] == "Limit")


def _drawn(plan: dict[str, Any], depth: int = 0) -> str:
    """Return the plan in a form that is read once."""
    names = ("Node Type", "Relation Name", "Index Name", "Index Cond", "Plan Rows", "Total Cost")
    line = " ".join(str(plan[name]) for name in names if name in plan)
    return "\n".join(
        [depth * " " + line, *(_drawn(each, depth + 1) for each in plan.get("Plans", ()))]
    )


def _reads_all(node: dict[str, Any]) -> bool:
    if node.get("Relation Name") not in LEDGER:
        return False
    if node["Node Type"] == "Seq Scan":
        return True
    return "Index Cond" not in node and "Index" in node["Node Type"] and not node["limited"]


@pytest.mark.django_db
def test_no_plan_reads_the_whole_ledger(as_if_large: None) -> None:
    user = User.objects.create(username="boss", userid="boss", is_staff=True)
    client = Client()
    client.force_login(user)
    cache.clear()
    remembered.forget()
    plans = Plans()
    with connection.execute_wrapper(plans):
        # What is remembered grows by another statement.
        for _ in range(2):
            for question in QUESTIONS:
                for kind in KINDS:
                    answer = client.get(f"/api/v1/statistics/{kind}/", question)
                    assert answer.status_code == 200, answer.content
            some(1, seed=3, start=datetime(2024, 5, 1, tzinfo=UTC), days=1)
        assert client.get("/api/v1/statistics/limits/").status_code == 200
        assert client.get("/dashboard/").status_code == 200
    assert plans.count > 50
    # The test sees what it looks for.
    with pytest.raises(AssertionError), connection.execute_wrapper(plans):
        connection.cursor().execute("SELECT count(price) FROM purchases_purchase")
