"""Whose events of quizzes and leads somebody gets, on a running site and by every way."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from quizzes.tests.running import Caller, Respondent
from tests.system import System, running, wait_for
from webhooks.tests.receiver import Receiver, receiving

pytestmark = pytest.mark.system
TYPES = [
    "quiz.published",
    "quiz.finished",
    "lead.created",
    "lead.confirmed",
    "lead.withdrawn",
    "lead.erased",
]
NAMES = ",".join(TYPES)
COMPANIES = ("alpha", "beta", "shop")
"""The first two have a team; the people of the last one are those with ``quizzes:write_all``."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A site whose customers have roles of their own."""
    folder: Path = tmp_path_factory.mktemp("companies") / "data"
    with running(folder, FEED_CREDENTIALS_SECONDS="1", WEBHOOK_ALLOW="127.0.0.1") as system:
        staff = Caller(system, "staff")
        staff("POST", "roles/", {"code": "makers", "name": "Makers", "permissions": MAKERS})
        staff("POST", "roles/", {"code": "house", "name": "H", "permissions": [WRITE_ALL]})
        makers = dict.fromkeys(("joe", "ann", "eve"), "makers")
        for name, role in {**makers, "fin": "house"}.items():
            (account,) = staff("GET", f"accounts/?search={name}")["results"]
            roles = [*account["roles"], role]
            given = [role for role in roles if role != "customer"]
            staff("PATCH", f"accounts/{account['userid']}/", {"roles": given})
        yield system


MAKERS, WRITE_ALL = ["quizzes:read", "quizzes:write"], "quizzes:write_all"


class Watch:
    """What somebody gets of quizzes' events: by two sockets, a page, a long poll, a webhook."""

    def __init__(self, caller: Caller, receiver: Receiver) -> None:
        self.caller = caller
        self.receiver = receiver
        self.after = caller("GET", f"events/?limit=5000&scope=mine&types={NAMES}")["position"]
        url = f"{receiver.url}?{caller.username}"
        caller("POST", "webhooks/", {"url": url, "events": TYPES, "scope": "mine"})

    def page(self, wait: int = 0) -> list[dict[str, Any]]:
        query = f"after={self.after}&limit=5000&scope=mine&types={NAMES}&wait={wait}"
        return list(self.caller("GET", f"events/?{query}")["events"])

    def hooked(self) -> list[dict[str, Any]]:
        """Return what the webhook has got, each event once."""
        path = f"/hook?{self.caller.username}"
        messages = {got.id: got.json() for got in self.receiver.got if got.path == path}
        return [event for each in messages.values() for event in each["data"]["events"]]

    def is_complete(self) -> bool:
        """Return whether the webhook has got as much as there was of each type."""
        return len(self.hooked()) >= len(TYPES)


@contextlib.asynccontextmanager
async def feed(
    caller: Caller, query: str = f"types={NAMES}", path: str = "/ws/events/"
) -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{caller.site.port}{path}?{query}"
    headers = {"Authorization": f"Token {caller.token}"}
    async with connect(url, additional_headers=headers) as socket:
        assert json.loads(await socket.recv())["type"] == "hello"
        yield socket


async def told(socket: ClientConnection, count: int) -> list[dict[str, Any]]:
    """Return so many events that the socket sends."""
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while len(events) < count:
            message = json.loads(await socket.recv())
            events += message.get("events", [])
    return events


def live(site: System, company: str) -> None:
    """Let a respondent of the company's quiz do everything that is told of somebody."""
    one = Respondent(site, company)
    one.answer()
    token = one.mailed("confirm")
    assert one.click("confirm", token) == 200
    leave = one.mailed("leave")
    assert [one.click(action, leave) for action in ("withdraw", "erase")] == [200, 200]


def kinds(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return company and type of each event, sorted."""
    return sorted((event["data"]["company"], event["event"]) for event in events)


async def test_no_way_tells_the_people_of_a_company_of_another(site: System) -> None:
    joe, ann, eve, fin, staff = (
        Caller(site, name) for name in ("joe", "ann", "eve", "fin", "staff")
    )
    for owner, slug in ((joe, "alpha"), (ann, "beta")):
        owner("POST", "companies/", {"slug": slug, "name": slug.title()})
    member = f"companies/alpha/members/{eve('GET', 'accounts/me/')['userid']}/"
    joe("PUT", member, {"role": "viewer"})
    expected = {slug: sorted((slug, type) for type in TYPES) for slug in COMPANIES}
    with receiving() as receiver:
        a, b, also_a, house = (Watch(caller, receiver) for caller in (joe, ann, eve, fin))
        async with (
            feed(joe) as his,
            feed(ann) as hers,
            feed(eve) as members,
            feed(fin) as houses,
            feed(joe, "", "/ws/purchases/") as his_purchases,
            feed(ann, f"types={NAMES}", "/ws/purchases/") as her_purchases,
        ):
            polls = [asyncio.to_thread(each.page, 30) for each in (a, b, house)]
            waiting = asyncio.gather(*polls)
            await asyncio.sleep(0.5)
            for owner, slug in zip((joe, ann, fin), COMPANIES, strict=True):
                await asyncio.to_thread(owner.publish, slug, slug)
            await asyncio.gather(*(asyncio.to_thread(live, site, slug) for slug in COMPANIES))
            # Purchases come last, so that whatever else was sent has arrived before.
            for owner in (joe, ann):
                await asyncio.to_thread(owner, "POST", "purchases/", {"item": "tea", "price": "1"})
            sockets = (his, hers, houses, members)
            for socket, slug in zip(sockets, (*COMPANIES, "alpha"), strict=True):
                assert kinds(await told(socket, len(TYPES))) == expected[slug]
            for socket in (his_purchases, her_purchases):
                assert [event["event"] for event in await told(socket, 1)] == ["purchase.recorded"]
            companies = [{event["data"]["company"] for event in got} for got in await waiting]
            assert companies == [{slug} for slug in COMPANIES]
        for watch, slug in zip((a, b, house, also_a), (*COMPANIES, "alpha"), strict=True):
            assert kinds(await asyncio.to_thread(watch.page)) == expected[slug]
            await asyncio.to_thread(wait_for, watch.is_complete)
            assert kinds(watch.hooked()) == expected[slug]
        everybodys = f"events/?after={a.after}&limit=5000&scope=all&types={NAMES}"
        whole = await asyncio.to_thread(staff, "GET", everybodys)
        assert kinds(whole["events"]) == sorted(pair for each in expected.values() for pair in each)
        await asyncio.to_thread(_removed, joe, member, also_a, a)


def _removed(owner: Caller, member: str, gone: Watch, stays: Watch) -> None:
    """Who is taken out of the team gets nothing from the next request on, new or old."""
    owner("DELETE", member)
    assert gone.page() == []
    assert gone.page(wait=1) == []
    owner.publish("alpha", "alpha-two")
    wait_for(lambda: len(stays.hooked()) == len(TYPES) + 1)
    assert len(gone.hooked()) == len(TYPES)
    assert gone.page() == []
    assert gone.caller.ask("GET", "companies/alpha/brand/").status == 404


async def test_a_socket_ends_when_its_reader_leaves_the_team(site: System) -> None:
    joe, eve = Caller(site, "joe"), Caller(site, "eve")
    member = f"companies/gamma/members/{eve('GET', 'accounts/me/')['userid']}/"
    joe("POST", "companies/", {"slug": "gamma", "name": "Gamma"})
    joe("PUT", member, {"role": "owner"})
    async with feed(eve) as socket:
        await asyncio.to_thread(joe, "DELETE", member)
        await asyncio.wait_for(socket.wait_closed(), 30)
        assert socket.close_code == 1012
    async with feed(eve, f"after=0&types={NAMES}") as socket:
        await asyncio.to_thread(joe.publish, "gamma", "gamma")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(told(socket, 1), 2)


@pytest.mark.parametrize("username", ["joe", "ann", "fin"])
async def test_everybodys_events_are_not_for_the_people_of_a_company(
    site: System, username: str
) -> None:
    caller = Caller(site, username)
    answer = await asyncio.to_thread(caller.ask, "GET", f"events/?scope=all&types={NAMES}")
    assert answer.status == 403
    assert answer.headers["Accepted-Permissions"] == "quizzes:read_all"
    hook = {"url": "https://example.com/hook", "events": TYPES, "scope": "all"}
    assert (await asyncio.to_thread(caller.ask, "POST", "webhooks/", hook)).status == 403
    url = f"ws://127.0.0.1:{site.port}/ws/events/?scope=all&types={NAMES}"
    async with connect(url, additional_headers={"Authorization": f"Token {caller.token}"}) as one:
        await asyncio.wait_for(one.wait_closed(), 30)
        assert one.close_code == 4403
