"""The contract, tried from outside on the running system."""

import asyncio
import contextlib
import io
import json
import os
import re
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
import websockets
from pypdf import PdfReader
from websockets.asyncio.client import connect

from tests.access import PASSWORD
from tests.sessions import Browser
from tests.system import System, wait_for

pytestmark = pytest.mark.system
WHEN = "2024-05-31T15:54:32.204Z"


def _purchase(**fields):
    return {"item": f"item {uuid.uuid4().hex}", "price": "12.50", "timestamp": WHEN} | fields


def test_the_original_routes_keep_their_shapes_under_both_prefixes(system: System):
    till, joe = system.token("till"), system.token("joe")
    body = {"username": "joe", "userid": "005", "price": 3.25, "timestamp": WHEN}
    first = system.request("POST", "/buy", body, till)
    again = system.request("POST", "/scalable-shop-cm-server/buy", body, till)
    assert first.json() == again.json()
    assert first.status == again.status == 200
    assert first.json()["status"] == "Ok!"
    listed = system.request("GET", "/getAllUserBuys/joe", token=joe).json()
    assert listed["username"] == "joe"
    (mine,) = [row for row in listed["purchases"] if row["_id"] == first.json()["_id"]]
    assert mine == {
        "_id": first.json()["_id"],
        "username": "joe",
        "userid": "005",
        "price": "3.25",
        "timestamp": WHEN,
    }
    assert system.request("GET", "/buyList/joe", token=joe).json()["status"] == "Ok!"
    assert system.request("GET", "/healthz").body == b"Success"
    assert system.request("GET", "/scalable-shop-cm-server/healthz").status == 200
    assert system.request("GET", "/getAllUserBuys/ann", token=joe).status == 404
    refused = system.request("POST", "/buy", {"username": "joe"}, till)
    assert refused.status == 400
    assert refused.json()["status"] == "Error"


def test_relay_and_worker_have_roles_of_their_own(system: System):
    joe = system.token("joe")
    asked = {"kind": "statement", "since": "2024-05-01", "until": "2024-05-02"}
    assert system.request("POST", "/api/v1/reports/", asked, joe).status == 202
    query = "SELECT DISTINCT usename FROM pg_stat_activity WHERE usename LIKE 'shop%'"

    def roles() -> set[str]:
        with psycopg.connect(system.servers()["DATABASE_OWNER_URL"]) as owner:
            return {name for (name,) in owner.execute(query)}

    # The worker connects with its first task.
    wait_for(lambda: roles() == {"shop", "shop_app", "shop_relay", "shop_worker"})


def test_one_key_sent_200_times_at_once_is_one_purchase(system: System):
    joe = system.token("joe")
    key, body = uuid.uuid4().hex, _purchase()
    with ThreadPoolExecutor(40) as threads:
        answers = list(
            threads.map(
                lambda _: system.request(
                    "POST", "/api/v1/purchases/", body, joe, Idempotency_Key=key
                ),
                range(200),
            )
        )
    assert sorted({answer.status for answer in answers}) == [200, 201]
    assert [answer.status for answer in answers].count(201) == 1
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = system.request("POST", "/api/v1/purchases/", _purchase(), joe, Idempotency_Key=key)
    assert other.status == 422
    assert other.json()["errors"][0]["code"] == "idempotency_key_reused"


async def _collect(system: System, token: str, count: int, after: int, scope: str = "mine"):
    """Read ``count`` events, and drop the socket and resume after every few of them."""
    events: list[dict] = []
    while len(events) < count:
        async with connect(
            f"{system.ws_url}?after={after}&scope={scope}",
            additional_headers={"Authorization": f"Token {token}"},
        ) as ws:
            hello = json.loads(await ws.recv())
            assert hello == {"type": "hello", "position": after, "scope": scope}
            for _ in range(3):
                message = json.loads(await asyncio.wait_for(ws.recv(), 40))
                if message["type"] == "events":
                    events += message["events"]
                after = message["position"]
                if len(events) >= count:
                    break
    return events


async def test_a_socket_that_drops_and_resumes_sees_every_event_once_in_order(system: System):
    joe, staff = system.token("joe"), system.token("staff")
    async with connect(
        f"{system.ws_url}?scope=all", additional_headers={"Authorization": f"Token {staff}"}
    ) as feed:
        after = json.loads(await feed.recv())["position"]
    count = 60

    def buy() -> None:
        for number in range(count):
            body = _purchase(item=f"resume {number}")
            assert system.request("POST", "/api/v1/purchases/", body, joe).status == 201

    buyer = threading.Thread(target=buy)
    buyer.start()
    mine, everything = await asyncio.gather(
        _collect(system, joe, count, after), _collect(system, staff, count, after, "all")
    )
    buyer.join()
    for events in (mine, everything):
        positions = [event["position"] for event in events]
        assert positions == sorted(set(positions))
        assert [event["purchase"]["item"] for event in events] == [
            f"resume {number}" for number in range(count)
        ]
    logged = system.request("GET", f"/api/v1/events/?after={after}", token=joe).json()
    assert logged["events"] == mine


async def _closed(ws: websockets.ClientConnection, seconds: float) -> int:
    """Return the code with which the server closes the socket."""
    await asyncio.wait_for(ws.wait_closed(), seconds)
    assert ws.close_code is not None
    return ws.close_code


async def _close_code(url: str, message: str | None = None, **headers: str) -> int:
    async with connect(url, additional_headers=headers) as ws:
        if message is not None:
            await ws.send(message)
        return await _closed(ws, 10)


async def test_sockets_are_refused_with_the_code_that_says_why(system: System):
    joe = system.token("joe")
    signed_in = {"Authorization": f"Token {joe}"}
    assert await _close_code(system.ws_url) == 4401
    assert await _close_code(system.ws_url, Authorization="Token nonsense") == 4401
    assert await _close_code(system.ws_url + "?ticket=nonsense") == 4401
    assert await _close_code(system.ws_url + "?scope=all", **signed_in) == 4403
    beyond, twice = "after=99999999999999999999", "after=1&after=2"
    for query in ("scope=x", "after=x", "after=-1", beyond, "after=", twice):
        assert await _close_code(f"{system.ws_url}?{query}", **signed_in) == 4400
    assert await _close_code(system.ws_url, "hello?", **signed_in) == 4400


async def test_a_ticket_opens_one_socket(system: System):
    joe = system.token("joe")
    ticket = system.request("POST", "/api/v1/live-ticket/", token=joe).json()["ticket"]
    async with connect(f"{system.ws_url}?ticket={ticket}") as ws:
        assert json.loads(await ws.recv())["type"] == "hello"
    assert await _close_code(f"{system.ws_url}?ticket={ticket}") == 4401


async def test_a_socket_ends_within_a_minute_of_the_right_to_it(system: System):
    """By logout with the token or in the browser, revoked tokens, or a deactivated account."""
    ways = ("logout", "browser", "revoke_tokens", "deactivate")
    names = {way: f"{way}-{uuid.uuid4().hex[:8]}" for way in (*ways, "stays")}
    tokens = {}
    for way, name in names.items():
        account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        assert system.request("POST", "/api/v1/accounts/", account).status == 201
        signed_in = system.request("POST", "/api/v1/auth/token/", account)
        tokens[way] = signed_in.json()["token"]
    staff, browser = Browser(system), Browser(system)
    staff.sign_in("staff", "demo-staff")
    browser.sign_in(names["browser"], PASSWORD)
    cookie = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())
    async with contextlib.AsyncExitStack() as stack:
        sockets = {}
        for way, token in tokens.items():
            headers = {"Authorization": f"Token {token}"}
            if way == "browser":
                headers = {"Cookie": cookie, "Origin": system.url}
            sockets[way] = await stack.enter_async_context(
                connect(system.ws_url, additional_headers=headers)
            )
            assert json.loads(await sockets[way].recv())["type"] == "hello"
        answer = system.request("POST", "/api/v1/auth/logout/", token=tokens["logout"])
        assert answer.status == 204
        assert browser.post("/accounts/logout/").status_code == 302
        for way in ("revoke_tokens", "deactivate"):
            listed = staff.http.get("/admin/accounts/user/", params={"q": names[way]}).text
            (id,) = set(re.findall(r"/admin/accounts/user/(\d+)/change/", listed))
            done = staff.post("/admin/accounts/user/", action=way, _selected_action=id, index="0")
            assert done.status_code == 302
        for way in ("logout", "revoke_tokens", "deactivate"):
            assert system.request("GET", "/api/v1/accounts/me/", token=tokens[way]).status == 401
            assert system.request("POST", "/buy", {"price": 1}, tokens[way]).status == 401
        codes = await asyncio.gather(*(_closed(sockets[way], 60) for way in ways))
        assert codes == [4401] * len(ways)
        assert sockets["stays"].state is websockets.State.OPEN
    staff.http.close()
    browser.http.close()


def test_waiting_for_events_ends_when_one_comes(system: System):
    joe = system.token("joe")
    after = system.log_end(joe)
    body = _purchase()
    timer = threading.Timer(0.5, lambda: system.request("POST", "/api/v1/purchases/", body, joe))
    timer.start()
    page = system.request("GET", f"/api/v1/events/?after={after}&wait=20", token=joe).json()
    timer.join()
    assert [event["purchase"]["item"] for event in page["events"]] == [body["item"]]


def test_a_statement_is_mailed_once_and_adds_up(system: System):
    ann = system.token("ann")
    prices = [Decimal("10.10"), Decimal("0.05"), Decimal("1195.30")]
    for price in prices:
        body = _purchase(price=str(price), quantity=2, timestamp="2023-03-05T10:00:00Z")
        assert system.request("POST", "/api/v1/purchases/", body, ann).status == 201
    asked = {"kind": "statement", "since": "2023-03-01", "until": "2023-03-31"}
    key = uuid.uuid4().hex
    report = system.request("POST", "/api/v1/reports/", asked, ann, Idempotency_Key=key)
    assert report.status == 202
    again = system.request("POST", "/api/v1/reports/", asked, ann, Idempotency_Key=key)
    assert again.json()["id"] == report.json()["id"]
    path = f"/api/v1/reports/{report.json()['id']}/"
    done = wait_for(
        lambda: (r := system.request("GET", path, token=ann).json())["status"] == "sent" and r
    )
    pdf = system.request("GET", done["pdf"], token=ann)
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.body)).pages)
    assert str(sum(prices) * 2) in text
    assert "ann" in text
    mails = [mail for mail in system.mails() if report.json()["id"] in mail["Message-ID"]]
    assert len(mails) == 1
    (attachment,) = mails[0].iter_attachments()
    assert attachment.get_content() == pdf.body
    joe = system.token("joe")
    assert system.request("GET", path, token=joe).status == 404
    assert system.request("GET", done["pdf"], token=joe).status == 404


def test_an_account_mail_comes_from_the_worker_and_leads_back_here(system: System):
    name = f"eve{uuid.uuid4().hex[:8]}"
    account = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    # Whatever X-Forwarded headers and Host the client sends.
    answer = system.request(
        "POST",
        "/api/v1/accounts/",
        account,
        X_Forwarded_For="x, 999.1.1.1,, ::",
        Host=f"localhost:{system.port}",
    )
    assert answer.status == 201, answer.body
    mail = wait_for(lambda: [one for one in system.mails() if one["To"] == account["email"]])[0]
    found = re.search(r"(http://\S+?)(/accounts/confirm-email/\S+)", mail.get_content())
    assert found is not None
    assert found[1] == f"http://localhost:{system.port}"
    browser = Browser(system)
    browser.sign_in(account["email"], PASSWORD)
    assert browser.post(found[2]).status_code == 302
    assert browser.http.get("/api/v1/accounts/me/").json()["email_verified"] is True
    browser.http.close()


def test_real_purchases_are_imported_once(system: System, tmp_path: Path):
    lines = ["ID,Date,Amount"]
    lines += [f"{number % 700},2017{number % 12 + 1:02}01,{number}.5" for number in range(5000)]
    lines += [*lines[1:11], "7,20171301,5", "8,20170101,x"]
    file = tmp_path / "purchases.csv"
    file.write_text("\n".join(lines) + "\n")

    def run() -> str:
        return subprocess.run(
            [
                sys.executable,
                "manage.py",
                "import_purchases",
                str(file),
                "--columns",
                "userid=ID,timestamp=Date,price=Amount",
                "--date-format",
                "%Y%m%d",
            ],
            env=os.environ | system.servers(),
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    assert run().startswith("5000 recorded, 10 duplicates, 2 rejected")
    assert run().startswith("0 recorded, 5010 duplicates, 2 rejected")
    rejected = (tmp_path / "purchases.csv.rejected.csv").read_text().splitlines()
    assert len(rejected) == 3
    assert rejected[0] == "ID,Date,Amount,reason"
