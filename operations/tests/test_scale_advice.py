"""The advice of ``manage.py scale_advice``: what Kubernetes would do by the same figures."""

from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command

from operations.management.commands import scale_advice
from operations.tests.conftest import sql

KEDA = Path(settings.BASE_DIR) / "deploy/kubernetes/components/keda"


def _advice(monkeypatch: pytest.MonkeyPatch, waiting: int) -> str:
    monkeypatch.setattr("shop.core.metrics.task_queue_length", lambda: waiting)
    out = StringIO()
    call_command("scale_advice", stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def _instance(kind: str, sockets: int = 0) -> None:
    sql(
        """INSERT INTO operations_instance (id, kind, host, pid, version, started_at, seen_at,
            sockets, memory, users, dropped, totals)
        VALUES (%s, %s, 'h', 1, '1', now(), now(), %s, 0, '{}', 0, '[]')""",
        uuid4(),
        kind,
        sockets,
    )


@pytest.mark.django_db
def test_the_advice_follows_sockets_and_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _advice(monkeypatch, 0) == "--scale live=2 --scale worker=2"
    for kind, sockets in (("live", 4000), ("live", 2001), *[("worker", 0)] * 5):
        _instance(kind, sockets)
    assert _advice(monkeypatch, 21) == "--scale live=4 --scale worker=5"
    assert _advice(monkeypatch, 61) == "--scale live=4 --scale worker=7"
    assert _advice(monkeypatch, 10_000) == "--scale live=4 --scale worker=20"
    assert _advice(monkeypatch, 0) == "--scale live=4 --scale worker=2"


def test_the_rules_are_those_of_kubernetes() -> None:
    def spec(name: str) -> tuple[Any, tuple[int, int]]:
        (scaled, *_) = yaml.safe_load_all((KEDA / f"{name}.yaml").read_text())
        one = scaled["spec"]
        limits = (one["minReplicaCount"], one["maxReplicaCount"])
        return one["triggers"][0]["metadata"], limits

    live, limits = spec("live")
    assert (int(live["threshold"]), limits) == (
        scale_advice.SOCKETS_A_PROCESS,
        scale_advice.LIVE,
    )
    worker, limits = spec("worker")
    assert (int(worker["listLength"]), limits) == (
        scale_advice.TASKS_A_WORKER,
        scale_advice.WORKERS,
    )
