"""The page of the operating figures."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from operations.deploys import deploy_record
from operations.tests.conftest import sql

INSTANCE = "00000000-0000-0000-0000-000000000009"


@pytest.mark.django_db
def test_the_page_shows_figures_processes_and_deploys(operator: Client) -> None:
    empty = operator.get("/operations/").content.decode()
    assert "No process has reported yet." in empty
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    for ago in (1, 2, 3, 7):
        at = minute - timedelta(minutes=ago)
        sql("INSERT INTO operations_presence VALUES (%s, %s, 'web', 0, '{}')", at, INSTANCE)
        sql(
            "INSERT INTO operations_minute (minute, instance_id, run, route, status_class,"
            " requests, seconds, numbers, counts)"
            " VALUES (%s, %s, 0, 'a/', 2, 90, 1, '{-40}', '{90}')",
            at, INSTANCE,
        )  # fmt: skip
    sql(
        "INSERT INTO operations_instance (id, kind, host, pid, version, sockets, memory, users,"
        " dropped) VALUES (%s, 'web', 'h', 1, 'v7', 3, 1048576, '{5}', 12)",
        INSTANCE,
    )
    deploy = deploy_record(version="v7", by="make deploy", actor_id=None)
    for span in ("hour", "day", "week", "century"):
        page = operator.get("/operations/", {"span": span}).content.decode()
        assert "1.5" in page
        assert "30.8 ms" in page or "30 ms" in page or "31 ms" in page
        assert "miss 12 requests" in page
        assert "v7" in page
    # The line has a gap where nothing was observed.
    part = operator.get("/operations/figures/").content.decode()
    assert "<html" not in part
    line = part.split('class="line" d="')[1].split('"')[0]
    assert line.count("M") == 2
    told = operator.get(f"/operations/deploys/{deploy.pk}/").content.decode()
    assert "too few requests" in told
    assert "The hour after it is not over yet." in told
