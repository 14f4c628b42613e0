"""Which processes live, by the database's clock, and who is connected to them."""

import pytest
from django.test import Client

from operations import beats
from operations.tasks import forget_gone_instances
from operations.tests.conftest import sql
from operations.tests.running import processes
from shop.core.process import Process

URL = "/api/v1/operations/instances/"


def _age(identifier: object, seconds: int) -> None:
    sql(
        "UPDATE operations_instance SET seen_at = seen_at - make_interval(secs => %s)"
        " WHERE id = %s",
        seconds,
        identifier,
    )


@pytest.mark.django_db(transaction=True)
def test_instances_are_alive_late_and_gone(operator: Client) -> None:
    with processes("web", "relay") as (web, relay):
        for each in (web, relay):
            each.run("assert beats.report(this) == 5.0")
        found = {one["id"]: one for one in operator.get(URL).json()}
        assert {one["state"] for one in found.values()} == {"alive"}
        mine = found[web.id]
        assert (mine["kind"], mine["version"], mine["sockets"]) == ("web", "1.0.0", 0)
        assert 10_000_000 < mine["memory"] < 1_000_000_000
        web.kill()
        for seconds, state in ((15, "late"), (20, "gone")):
            _age(web.id, seconds)
            states = {one["id"]: one["state"] for one in operator.get(URL).json()}
            assert states == {web.id: state, relay.id: "alive"}
        # It has not told of its last requests, and that is said.
        missing = operator.get("/api/v1/operations/now/").json()["missing"]
        assert {one["instance"]: one["reason"] for one in missing}[web.id] == "killed"
        assert "was killed" in operator.get("/operations/").content.decode()
        # One that ends in order is gone at once.
        relay.run("from dataclasses import replace; beats.report(replace(this, stopping=True))")
        assert {one["state"] for one in operator.get(URL).json()} == {"gone"}
        # Their rows go with the minutes that they told of.
        _age(web.id, 16 * 86_400)
        forget_gone_instances()
        assert [str(id) for (id,) in sql("SELECT id FROM operations_instance")] == [relay.id]


@pytest.mark.django_db
def test_a_workers_child_is_no_instance(operator: Client) -> None:
    beats.report(Process("task"))
    assert operator.get(URL).json() == []
