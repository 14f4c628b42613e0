"""``/ws/events/`` and the long poll by type, on a site with the toy app."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from websockets.asyncio.client import ClientConnection, connect

from events.teams import number_of
from events.tests.toy.types import INVOICE, QUIZ, RESTARTED
from tests.system import FEED, System, running

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A site of its own, with the toy app's types of events."""
    folder: Path = tmp_path_factory.mktemp("types") / "data"
    settings = {"DJANGO_SETTINGS_MODULE": "events.tests.toy.settings"}
    with running(folder, FEED, FEED_CREDENTIALS_SECONDS="1", **settings) as system:
        yield system


def _write(site: System, statement: str, *values: Any) -> None:
    url = site.servers()["DATABASE_OWNER_URL"]
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(statement, values)


def _emit(site: System, number: int, username: str | None, data: dict[str, Any]) -> None:
    """Write an event as ``emit`` does in one of the site's processes."""
    _write(
        site,
        """INSERT INTO events_outbox (id, type, customer_id, payload)
           VALUES (uuidv7(), %s, (SELECT id FROM accounts_user WHERE username = %s), %s)""",
        number,
        username,
        json.dumps(data),
    )


def _invoice(site: System, username: str) -> str:
    number = uuid.uuid4().hex
    _emit(site, INVOICE.number, username, {"number": number, "total": "1.00"})
    return number


def _buy(site: System, token: str) -> str:
    item = uuid.uuid4().hex
    body = {"item": item, "price": "1"}
    assert site.request("POST", "/api/v1/purchases/", body, token).status == 201
    return item


def _page(site: System, token: str, query: str) -> Any:
    answer = site.request("GET", f"/api/v1/events/?{query}", token=token)
    assert answer.status == 200, answer.body
    return answer.json()


@contextlib.asynccontextmanager
async def _feed(
    site: System, token: str, query: str = "", path: str = "/ws/events/"
) -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{site.port}{path}?{query}"
    headers = {"Authorization": f"Token {token}"}
    async with connect(url, additional_headers=headers) as feed:
        yield feed


async def _events(feed: ClientConnection, count: int) -> list[dict[str, Any]]:
    """Return the next events of the feed; fail where they are not in order, or more."""
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while len(events) < count:
            message = json.loads(await feed.recv())
            if message["type"] == "events":
                events += message["events"]
                assert message["position"] == events[-1]["position"]
    positions = [event["position"] for event in events]
    assert positions == sorted(set(positions))
    assert len(events) == count
    return events


async def _code(site: System, token: str, query: str) -> int | None:
    async with _feed(site, token, query) as feed:
        await asyncio.wait_for(feed.wait_closed(), 10)
        return feed.close_code


async def test_sockets_get_the_types_that_they_ask_for(site: System) -> None:
    joe, fin = site.token("joe"), site.token("fin")
    async with (
        _feed(site, joe, "types=ticket.issued") as mine,
        _feed(site, joe, "types=*&scope=mine") as all_mine,
        _feed(site, fin, "types=ticket.issued&scope=all") as everybodys,
        _feed(site, joe) as plain,
        _feed(site, joe, "types=ticket.issued", "/ws/purchases/") as purchases,
    ):
        feeds = (mine, all_mine, everybodys, plain, purchases)
        hellos = [json.loads(await feed.recv()) for feed in feeds]
        assert [hello["scope"] for hello in hellos] == ["mine", "mine", "all", "mine", "mine"]
        hers, his = _invoice(site, "ann"), _invoice(site, "joe")
        _emit(site, QUIZ.number, "joe", {"score": 1})
        _emit(site, RESTARTED.number, None, {})
        item = await asyncio.to_thread(_buy, site, joe)
        (invoice,) = await _events(mine, 1)
        assert list(invoice) == ["position", "event", "at", "customer", "data"]
        assert (invoice["event"], invoice["customer"]) == ("ticket.issued", "005")
        assert invoice["data"] == {"number": his, "total": "1.00"}
        both = await _events(all_mine, 2)
        assert both[0] == invoice
        assert both[1]["purchase"]["item"] == item
        told = await _events(everybodys, 2)
        assert [event["data"]["number"] for event in told] == [hers, his]
        # `/ws/purchases/` sends purchases only, and so does `/ws/events/` without types.
        assert await _events(plain, 1) == both[1:] == await _events(purchases, 1)


async def test_a_replay_equals_the_rest_view(site: System) -> None:
    joe, ann, fin = site.token("joe"), site.token("ann"), site.token("fin")
    for _ in range(3):
        _invoice(site, "joe")
        await asyncio.to_thread(_buy, site, ann)
        _invoice(site, "ann")
    last = _invoice(site, "ann")

    def whole(token: str, query: str) -> list[dict[str, Any]]:
        page = _page(site, token, f"after=0&limit=5000&{query}")
        return list(page["events"])

    while whole(fin, "types=*")[-1].get("data", {}).get("number") != last:
        await asyncio.sleep(0.05)
    for token, query in (
        (joe, "types=*&scope=mine"),
        (ann, "types=ticket.issued&scope=mine"),
        (fin, "types=*&scope=all"),
        (fin, "types=ticket.issued,purchase.recorded&scope=all"),
    ):
        expected = await asyncio.to_thread(whole, token, query)
        assert len(expected) >= 3
        async with _feed(site, token, f"after=0&{query}") as feed:
            assert await _events(feed, len(expected)) == expected


def test_a_poll_is_woken_by_the_types_that_it_waits_for(site: System) -> None:
    joe = site.token("joe")
    after = _page(site, joe, "limit=5000&types=*")["position"]
    with ThreadPoolExecutor(2) as threads:
        # Any letter of a name may be escaped.
        query = f"after={after}&w%61it=20&types=ticket.issued"
        poll = threads.submit(_page, site, joe, query)
        purchases = threads.submit(_page, site, joe, f"after={after}&wait=20")
        item = _buy(site, joe)
        (bought,) = purchases.result()["events"]
        assert bought["purchase"]["item"] == item
        assert not poll.done()
        number = _invoice(site, "joe")
        (invoice,) = poll.result()["events"]
        assert invoice["data"]["number"] == number


@pytest.mark.parametrize("query", ["types=", "types=nothing.such", "types=*,*", "scope="])
def test_a_long_poll_is_refused_like_a_plain_request(site: System, query: str) -> None:
    joe = site.token("joe")
    answers = [
        site.request("GET", f"/api/v1/events/?{query}&wait={wait}", token=joe) for wait in (0, 5)
    ]
    assert [answer.status for answer in answers] == [400, 400]
    assert answers[0].json() == answers[1].json()


async def test_what_a_socket_may_not_have_closes_it(site: System) -> None:
    joe = site.token("joe")
    for query, code in (
        ("types=nothing.such", 4400),
        ("types=", 4400),
        ("types=*,ticket.issued", 4400),
        ("types=ticket.issued&types=game.finished", 4400),
        ("types=game.finished", 4403),
        ("types=*&scope=all", 4403),
        ("types=ticket.issued&after=9223372036854775807", 4409),
    ):
        assert await _code(site, joe, query) == code, query
    assert await _code(site, "nobody's", "types=*") == 4401


async def test_a_lost_permission_closes_the_sockets_that_live_on_it(site: System) -> None:
    fin = site.token("fin")
    query = "types=*&scope=all"
    mask = "SELECT role_permissions FROM accounts_user WHERE username = 'fin'"
    with psycopg.connect(site.servers()["DATABASE_OWNER_URL"], autocommit=True) as owner:
        (before,) = owner.execute(mask).fetchone() or (0,)
    change = "UPDATE accounts_user SET role_permissions = %s WHERE username = 'fin'"
    async with (
        _feed(site, fin, query) as wide,
        _feed(site, fin, "types=*&scope=mine") as stewards,
        _feed(site, fin, "types=purchase.recorded&scope=mine") as own,
    ):
        for feed in (wide, stewards, own):
            assert json.loads(await feed.recv())["type"] == "hello"
        _write(site, change, 0)
        try:
            await asyncio.wait_for(wide.wait_closed(), 20)
            assert wide.close_code == 4403
            # A customer still sees its own events.
            item = await asyncio.to_thread(_buy, site, fin)
            (bought,) = await _events(own, 1)
            assert bought["purchase"]["item"] == item
            # What is about no team was its own as a steward, so it comes back without.
            await asyncio.wait_for(stewards.wait_closed(), 20)
            assert stewards.close_code == 1012
            async with _feed(site, fin, "types=*&scope=mine") as again:
                assert json.loads(await again.recv())["type"] == "hello"
                number = _invoice(site, "fin")
                (invoice,) = await _events(again, 1)
                assert invoice["data"]["number"] == number
        finally:
            _write(site, change, before)


async def test_members_get_the_events_of_their_teams_as_long_as_they_are_members(
    site: System,
) -> None:
    joe, ann, fin = site.token("joe"), site.token("ann"), site.token("fin")
    teams = {"joe": uuid.uuid4(), "ann": uuid.uuid4()}
    for name, team in teams.items():
        _write(site, "INSERT INTO people_team (id, name) VALUES (%s, %s)", team, f"of {name}")
        _write(
            site,
            """INSERT INTO people_membership (team_id, user_id)
               SELECT %s, id FROM accounts_user WHERE username = %s""",
            team,
            name,
        )

    def tell(name: str) -> str:
        number = uuid.uuid4().hex
        _write(
            site,
            """INSERT INTO events_outbox (id, type, recorder_id, payload)
               VALUES (uuidv7(), %s, %s, %s)""",
            INVOICE.number,
            number_of(teams[name]),
            json.dumps({"number": number, "total": "1.00"}),
        )
        return number

    query = "types=ticket.issued&scope=mine"
    after = _page(site, joe, "limit=5000&types=*")["position"]
    async with _feed(site, joe, query) as his, _feed(site, ann, query) as hers:
        for feed in (his, hers):
            assert json.loads(await feed.recv())["type"] == "hello"
        wait = asyncio.to_thread(_page, site, joe, f"after={after}&wait=20&{query}")
        poll = asyncio.create_task(wait)
        # An event of one's own lies between those of the team, in the same batch or not.
        numbers = [tell("joe"), _invoice(site, "joe"), tell("joe")]
        other = tell("ann")
        assert [event["data"]["number"] for event in await _events(his, 3)] == numbers
        assert [event["data"]["number"] for event in await _events(hers, 1)] == [other]
        assert (await poll)["events"][0]["data"]["number"] == numbers[0]
        page = await asyncio.to_thread(_page, site, joe, f"after={after}&{query}")
        assert [event["data"]["number"] for event in page["events"]] == numbers
        everybodys = f"after={after}&types=ticket.issued&scope=all"
        page = await asyncio.to_thread(_page, site, fin, everybodys)
        assert [event["data"]["number"] for event in page["events"]] == [*numbers, other]
        _write(site, "DELETE FROM people_membership WHERE team_id = %s", teams["joe"])
        # The client comes back, and nothing of the team is told any more.
        await asyncio.wait_for(his.wait_closed(), 20)
        assert his.close_code == 1012
        tell("joe")
    async with _feed(site, joe, f"after={after}&{query}") as his:
        assert [event["data"]["number"] for event in await _events(his, 1)] == numbers[1:2]
    page = await asyncio.to_thread(_page, site, joe, f"after={after}&{query}")
    assert [event["data"]["number"] for event in page["events"]] == numbers[1:2]
