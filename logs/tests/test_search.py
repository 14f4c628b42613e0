"""The log is searched, counted, followed and exported as it was written."""

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from django.test import Client

from accounts.models import User
from audit.models import Waiting
from logs import lines as module
from logs import streams
from logs.levels import LEVELS
from logs.lines import NOBODY
from logs.models import Entry
from logs.search import search_of
from logs.shipper import Shipper
from shop.core.process import Process

API = "/api/v1/logs/"
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)


def store(*events: dict[str, Any], part: str = "web") -> None:
    """Store lines as a process of that kind does, which wrote them when they say."""
    shipper = Shipper()
    for event in events:
        at = event.pop("at", NOW)
        shipper.put(
            {
                "timestamp": at.isoformat().replace("+00:00", "Z"), "level": "info",
                "logger": "shop.canary",
            } | event,
            100,
        )  # fmt: skip
    shipper.ship(Process(part))
    assert (shipper.queued, shipper.dropped) == (0, 0)


@pytest.fixture
def operator(client: Client) -> Client:
    """Return the session of somebody who may read the log."""
    user = User.objects.create(username="operator", is_staff=True, is_superuser=True)
    client.force_login(user)
    return client


def _get(client: Client, path: str = "", status: int = 200, **query: Any) -> Any:
    answer = client.get(f"{API}{path}", query)
    assert answer.status_code == status, answer.content
    return answer.json()


def _events(client: Client, **query: Any) -> list[str]:
    return [line["event"] for line in _get(client, **query)["results"]]


@pytest.mark.django_db
def test_lines_are_found_by_each_filter(operator: Client) -> None:
    joe = User.objects.create(username="joe", userid="005")
    store(
        {"event": "purchase.recorded", "purchase_id": "0199c1f2-aa", "request_id": "req-1",
         "user_id": joe.pk, "at": NOW - timedelta(minutes=3)},
        {"event": "purchase.refused", "level": "warning", "reason": "Größe fehlt",
         "purchase_id": "0199c1f2-bb", "at": NOW - timedelta(minutes=2)},
        {"event": "Error in the broker: connection refused", "level": "error", "logger": "kombu",
         "at": NOW - timedelta(minutes=1)},
        {"event": "debug.said", "level": "debug", "at": NOW},
    )  # fmt: skip
    store({"event": "mail.sent", "request_id": "req-1", "at": NOW}, part="task")
    store({"event": "long.ago", "at": NOW - timedelta(hours=25)})
    everything = ["debug.said", "mail.sent", "", "purchase.refused", "purchase.recorded"]
    assert sorted(_events(operator)) == sorted(everything)
    found = {
        ("level", "warning"): ["", "purchase.refused"],
        ("level", "info"): ["mail.sent", "", "purchase.refused", "purchase.recorded"],
        ("level", "error"): [""],
        ("part", "worker"): ["mail.sent"],
        ("part", "nginx"): [],
        ("event", "purchase.refused"): ["purchase.refused"],
        ("event", "purchase"): [],
        ("request_id", "req-1"): ["mail.sent", "purchase.recorded"],
        ("user", "joe"): ["purchase.recorded"],
        ("user", "005"): ["purchase.recorded"],
        ("user", str(joe.pk)): ["purchase.recorded"],
        ("user", "nobody"): [],
        ("field.purchase_id", "0199c1f2-aa"): ["purchase.recorded"],
        ("field.purchase_id", "0199c1f2"): [],
        ("field.other", "0199c1f2-aa"): [],
        ("q", "refused"): ["", "purchase.refused"],
        ("q", "GRÖSSE"): [],
        ("q", "größ purchase.ref"): ["purchase.refused"],
        ("q", "'); DROP TABLE logs_entry; --"): [],
        ("q", "connection broker"): [""],
        ("since", (NOW - timedelta(days=2)).isoformat()): [*everything, "long.ago"],
    }
    for (name, value), events in found.items():
        assert sorted(_events(operator, **{name: value})) == sorted(events), (name, value)
    until = (NOW - timedelta(minutes=2)).isoformat()
    assert _events(operator, until=until) == ["purchase.refused", "purchase.recorded"]
    (line,) = _get(operator, level="error")["results"]
    assert (line["message"], line["logger"], line["level"], line["user"]) == (
        "Error in the broker: connection refused", "kombu", "error", None,
    )  # fmt: skip
    (line,) = _get(operator, event="purchase.refused")["results"]
    assert line["fields"] == {"reason": "Größe fehlt", "purchase_id": "0199c1f2-bb"}
    wrong = {
        "level": "loud", "part": "moon", "since": "yesterday", "q": "…", "event": "x" * 300,
        "cursor": "bm9uZQ", "page_size": "0",
    }  # fmt: skip
    for name, value in wrong.items():
        errors = _get(operator, status=400, **{name: value})["errors"]
        assert [error["attr"] for error in errors] == [name], name
    for query in (
        {"since": "2024-01-01"},
        {"since": "2024-01-01", "until": "2024-02-02"},
        {"until": "2024-02-02", "since": "0001-01-01"},
    ):
        assert _get(operator, status=400, **query)["errors"][0]["code"] == "search_too_wide"
    for path in ("", "histogram/", "export.jsonl"):
        for at in ("9999-12-31", "9999-12-31T23:59:59.999999Z", "0001-01-01", "0001-01-02"):
            for ends in ({"until": at}, {"since": at, "until": at}):
                answer = operator.get(f"/api/v1/logs/{path}", ends)
                assert answer.status_code == 200, (path, ends)
                b"".join(answer) if answer.streaming else answer.json()
    _get(operator, since="2024-01-01", until="2024-01-31")


@pytest.mark.django_db
@pytest.mark.parametrize("hurried", [False, True])
def test_pages_hold_every_line_once_in_order(
    operator: Client, monkeypatch: pytest.MonkeyPatch, hurried: bool
) -> None:
    """Also where each request has time for one span only."""
    if hurried:
        defaults: Any = module.walk.__kwdefaults__
        monkeypatch.setattr(module.walk, "__kwdefaults__", defaults | {"seconds": -1.0})
    chance = random.Random(7)
    store(*(
        {"event": "canary.sung", "number": number, "level": chance.choice(list(LEVELS)),
         # Some at the very same moment.
         "at": NOW - timedelta(seconds=chance.choice([0, 60, 3600]) * chance.randrange(25))}
        for number in range(150)
    ))  # fmt: skip
    rows = list(Entry.objects.order_by("-at", "-uuid").values_list("uuid", flat=True))
    expected = [str(row) for row in rows]
    since = (NOW - timedelta(days=2)).isoformat()
    for cursor, link, words in ((None, "next", ""), ("last", "previous", ""), (None, "next", "su")):
        if hurried and words:
            # Only the first span of a request is read by time.
            continue
        seen: list[str] = []
        query: dict[str, Any] = {"since": since, "page_size": 40}
        address = f"{API}?page_size=40&since={since.replace('+', '%2B')}"
        if cursor:
            address += f"&cursor={cursor}"
        if words:
            address += f"&q={words}"
        for _ in range(300):
            answer = operator.get(address)
            assert answer.status_code == 200, (answer.content, query)
            page = answer.json()
            found = [line["id"] for line in page["results"]]
            seen = [*seen, *found] if link == "next" else [*found, *seen]
            if page[link] is None:
                break
            parts = urlsplit(page[link])
            address = f"{parts.path}?{parts.query}"
        assert seen == expected, link
    # A page between two of them leads back.
    answer = operator.get(f"{API}?page_size=40&since={since.replace('+', '%2B')}")
    if not hurried:
        second = operator.get(answer.json()["next"]).json()
        first = operator.get(second["previous"]).json()
        assert first["results"] == answer.json()["results"]


@pytest.mark.django_db
def test_what_happened_around_a_line_and_how_much(operator: Client) -> None:
    start = NOW - timedelta(minutes=30)
    levels = ["info", "info", "warning", "debug", "error"]
    store(*(
        {"event": "canary.sung", "level": levels[number % 5], "number": number,
         "at": start + timedelta(seconds=20 * number)}
        for number in range(60)
    ))  # fmt: skip
    middle = Entry.objects.get(fields__number=30)
    lines = _get(operator, f"{middle.uuid}/around/", before=2, after=3)["results"]
    assert [line["fields"]["number"] for line in lines] == [33, 32, 31, 30, 29, 28]
    alone = _get(operator, f"{middle.uuid}/around/", before=0, after=0)["results"]
    assert [line["id"] for line in alone] == [str(middle.uuid)]
    for wrong in ("0199c1f2-7d3e-7b7a-8a3c-0123456789ab", "nothing", "7" * 200):
        _get(operator, f"{wrong}/around/", 404)
    _get(operator, f"{middle.uuid}/around/", 400, before=201)
    since = start.isoformat()
    for query in ({}, {"level": "warning"}, {"q": "canary"}, {"step": "7", "since": since}):
        asked: Any = {"step": 60, **query}
        told = _get(operator, "histogram/", **asked)
        assert told["complete"]
        total = 24 if "level" in query else 60
        assert sum(bucket["total"] for bucket in told["buckets"]) == total
        gaps = {
            datetime.fromisoformat(b["at"]) - datetime.fromisoformat(a["at"])
            for a, b in zip(told["buckets"], told["buckets"][1:], strict=False)
        }
        assert gaps == {timedelta(seconds=told["step"])}
        assert sum(bucket["levels"]["error"] for bucket in told["buckets"]) == 12
    code = _get(operator, "histogram/", 400, step=1)["errors"][0]["code"]
    assert code == "too_many_periods"
    told = _get(operator, "status/")
    assert told["oldest"] == start.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    assert (told["queued"], told["dropped"]) >= (0, 0)
    assert told["bytes"] > 8192
    store({"event": "logs.dropped", "lines": 17, "level": "warning"})
    assert _get(operator, "status/")["dropped"] == told["dropped"] + 17


@pytest.mark.django_db
def test_an_export_is_whole_and_recorded(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "EXPORT_LINES", 7)
    store(*({"event": "canary.sung", "number": number} for number in range(50)))
    answer = operator.get(f"{API}export.jsonl", {"event": "canary.sung"})
    assert answer["Content-Type"] == "application/x-ndjson"
    lines = [
        json.loads(line) for line in b"".join(cast(Any, answer).streaming_content).splitlines()
    ]
    assert [line["id"] for line in lines] == [
        str(row.uuid) for row in Entry.objects.order_by("-at", "-uuid")
    ]
    assert Waiting.objects.filter(action="logs.exported").count() == 1
    assert operator.get(f"{API}export.jsonl", {"level": "loud"}).status_code == 400
    assert Waiting.objects.filter(action="logs.exported").count() == 1


@pytest.mark.django_db(transaction=True)
async def test_a_tail_has_each_line_once_and_waits_without_a_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "ASK_SECONDS", 0.05)

    async def look(after: str | None, wait: float = 20) -> dict[str, Any]:
        place = streams.place_of(after) if after else None
        tail = streams.Tail("account:1", await asyncio.to_thread(search_of, {}), place, wait)
        (body,) = [block async for block in tail.blocks()]
        told: dict[str, Any] = json.loads(body)
        return told

    await asyncio.to_thread(store, {"event": "canary.first"})
    first = await look(None)
    assert [line["event"] for line in first["results"]] == ["canary.first"]
    nothing = await look(first["after"], wait=0.2)
    assert nothing["results"] == []
    waiting = asyncio.create_task(look(nothing["after"]))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    moments = [datetime.now(UTC) - streams.SETTLED + timedelta(milliseconds=5)] * 3
    await asyncio.to_thread(
        store, *({"event": f"canary.new{n}", "at": at} for n, at in enumerate(moments))
    )
    new = await asyncio.wait_for(waiting, 20)
    events = [line["event"] for line in new["results"]]
    monkeypatch.setattr(streams, "TAIL_LINES", 1)
    for _ in range(5):
        new = await look(new["after"], wait=0)
        events += [line["event"] for line in new["results"]]
    assert sorted(events) == ["canary.new0", "canary.new1", "canary.new2"]


@pytest.mark.django_db
def test_a_tail_answers_at_its_route(operator: Client) -> None:
    store({"event": "canary.first"})
    answer = operator.get(f"{API}tail/", {"wait": 0})
    told = json.loads(b"".join(cast(Any, answer).streaming_content))
    assert [line["event"] for line in told["results"]] == ["canary.first"]
    assert streams.place_of(told["after"])[1] != NOBODY
    for query in ({"after": "x"}, {"wait": 31}, {"after": "1-" + "g" * 32}):
        assert operator.get(f"{API}tail/", query).status_code == 400
