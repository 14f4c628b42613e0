"""The site behind nginx: purchases, feed, statements, and what it says without a replica.

The tests of a stack run in the order of their files. Each finds what the ones before it have left,
as a stack that is in use does.
"""

import httpx

from tests.stack.clients import Follower
from tests.stack.shared import BUY, buy
from tests.stack.stack import Stack, docker, wait_for


def test_a_purchase_reaches_the_ledger_and_the_feed(stack: Stack):
    with Follower(stack, "joe", "scope=mine") as follower, stack.client("joe") as client:
        item = stack.item()
        buy(client, item)
        wait_for(lambda: item in follower.items, 10)
        answer = client.post(
            "/buy",
            json=BUY | {"timestamp": "2024-05-31T15:54:32.204Z"},
        )
        assert answer.status_code == 200
        again = client.post("/buy", json=BUY | {"timestamp": "2024-05-31T15:54:32.204Z"})
        assert again.json()["_id"] == answer.json()["_id"]
        assert len(client.get("/getAllUserBuys/joe").json()["purchases"]) == 2
        events = client.get("/api/v1/events/?after=0").json()
        assert len(events["events"]) == 2
    # The backend port accepts the same in plain HTTP.
    answer = httpx.get(
        f"http://127.0.0.1:{stack.backend_port}/api/v1/purchases/",
        headers={"Authorization": f"Token {stack.token('joe')}"},
        timeout=10,
    )
    assert len(answer.json()["results"]) == 2


def test_a_statement_is_mailed(stack: Stack):
    with stack.client("joe") as client:
        asked = client.post(
            "/api/v1/reports/",
            json={"kind": "statement", "since": "2024-05-01", "until": "2024-05-31"},
        )
        assert asked.status_code == 202, asked.text
        path = f"/api/v1/reports/{asked.json()['id']}/"
        wait_for(lambda: client.get(path).json()["status"] == "sent", 90)
        pdf = client.get(f"{path}pdf/").content
    (mail,) = stack.mails()
    assert mail["To"] == "joe@shop.test"
    (attachment,) = mail.iter_attachments()
    assert attachment.get_content() == pdf
    assert pdf.startswith(b"%PDF")


def test_without_a_replica_the_api_answers_502_as_json(stack: Stack):
    container = stack.containers("web")[0]
    docker("stop", container)
    try:
        with stack.client("joe") as client:
            # For a second nginx may still use the old address. Then the answer is a 504.
            answer = client.get("/api/v1/purchases/")
            assert answer.status_code in (502, 504)
            assert answer.json()["type"] == "server_error"
            wait_for(lambda: client.get("/api/v1/purchases/").status_code == 502, 10)
            answer = client.get("/api/v1/purchases/")
            assert answer.json() == {
                "type": "server_error",
                "errors": [
                    {
                        "code": "bad_gateway",
                        "detail": "The service does not answer. Try again later.",
                        "attr": None,
                    }
                ],
            }
            assert answer.headers["Retry-After"]
            assert client.get("/purchases/").headers["Content-Type"].startswith("text/html")
            # Purchases go to other processes, which still run.
            buy(client, stack.item())
    finally:
        docker("start", container)
    wait_for(lambda: stack.healthy("web", 1), 60)


def test_a_replica_that_hangs_is_answered_for_with_504_as_json(stack: Stack):
    container = stack.containers("web")[0]
    docker("pause", container)
    try:
        with stack.client("joe", timeout=90) as client:
            answer = client.get("/api/v1/purchases/")
            assert answer.status_code == 504
            assert answer.json()["errors"][0]["code"] == "gateway_timeout"
            assert answer.headers["X-Request-ID"]
    finally:
        docker("unpause", container)
    wait_for(lambda: stack.healthy("web", 1), 60)
