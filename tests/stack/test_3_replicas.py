"""More than one of every process: the feed is whole, and a killed process is replaced.

The tests of a stack run in the order of their files. Each finds what the ones before it have left,
as a stack that is in use does.
"""

import json
import time

from tests.stack.clients import Follower, Load
from tests.stack.shared import buy, nginx_log
from tests.stack.stack import Stack, docker, wait_for


def test_more_of_everything(stack: Stack):
    stack.scale(web=3, live=2, worker=3, relay=2)
    with stack.client("joe") as client:
        wait_for(lambda: {client.get("/livez").status_code for _ in range(20)} == {200}, 20)
        time.sleep(2)
        for _ in range(60):
            client.get("/livez")
    answered = {json.loads(line)["upstream"] for line in nginx_log(stack)[-60:]}
    assert len(answered) == 3


def test_the_feed_is_whole_across_processes(stack: Stack):
    followers = [Follower(stack) for _ in range(6)]
    for follower in followers:
        follower.__enter__()
    items = []
    with stack.client("till") as client:
        for _ in range(200):
            items.append(stack.item())
            buy(client, items[-1])
    for follower in followers:
        wait_for(lambda: set(items) <= set(follower.items), 20)  # noqa: B023
        follower.check_order()
        follower.__exit__()
    assert len({tuple(event["position"] for event in one.events) for one in followers}) == 1
    lines = [json.loads(line) for line in nginx_log(stack)]
    # Both live processes served sockets and took purchases.
    taken = {line["upstream"] for line in lines if line["method"] == "POST"}
    assert len(taken) >= 2


def test_the_other_relay_takes_over_within_five_seconds(stack: Stack):
    leader = wait_for(stack.leading_relay, 10)
    with Follower(stack) as follower, stack.client("till") as client:
        # The engine does not restart what it kills itself, so the other relay must take over.
        docker("kill", leader)
        killed = time.monotonic()
        item = stack.item()
        buy(client, item)
        wait_for(lambda: item in follower.items, 5)
        print(f"events again after {time.monotonic() - killed:.2f} s")
        assert stack.leading_relay() not in ("", leader)
        follower.check_order()
    docker("start", leader)
    wait_for(lambda: stack.healthy("relay", 2), 60)


def test_killed_processes_come_back_and_nothing_is_lost(stack: Stack):
    followers = [Follower(stack) for _ in range(4)]
    for follower in followers:
        follower.__enter__()
    loads = [Load(stack, number) for number in range(3)]
    for load in loads:
        load.start()
    for service in ("live", "web", "worker", "relay", "follower"):
        container = stack.containers(service)[0]
        count = len(stack.containers(service))
        stack.kill(container)
        wait_for(lambda: stack.healthy(service, count), 60)  # noqa: B023
    for load in loads:
        load.stopping.set()
        load.join(40)
    bought = {item for load in loads for item in load.bought}
    assert len(bought) > 20
    for follower in followers:
        wait_for(lambda: bought <= set(follower.items), 20)  # noqa: B023
        follower.check_order()
        follower.__exit__()
    assert docker("inspect", "--format", "{{.RestartCount}}", container).strip() == "1"


def test_no_report_is_mailed_twice(stack: Stack):
    before = len(stack.mails())
    with stack.client("ann") as client:
        asked = [
            client.post(
                "/api/v1/reports/",
                json={"kind": "statement", "since": f"2024-0{month}-01", "until": "2024-12-31"},
            ).json()["id"]
            for month in range(1, 8)
        ]
        for one in asked:
            path = f"/api/v1/reports/{one}/"
            wait_for(lambda: client.get(path).json()["status"] == "sent", 90)  # noqa: B023
    time.sleep(5)
    assert len(stack.mails()) == before + len(asked)
