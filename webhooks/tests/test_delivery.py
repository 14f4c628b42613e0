"""Delivery: each event once by its message's id, in order, whoever fails."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from accounts.access import Caller
from accounts.models import OutgoingMail
from audit.models import Waiting
from events.models import Event
from events.services import emit
from events.tests.log import number
from people.models import Membership, Team
from quizzes.events import QUIZ_PUBLISHED
from shop.core.database import own_connection_parameters
from tests.system import ROOT, wait_for
from webhooks import health, steps
from webhooks.attention import find_attention
from webhooks.metrics import collect_webhooks
from webhooks.models import Attempt, Delivery, Endpoint
from webhooks.signing import random_secret, signature
from webhooks.steps import WAITS, Claim
from webhooks.tests.conftest import Api, delivering
from webhooks.tests.receiver import Got, Receiver, receiving

pytestmark = pytest.mark.django_db(transaction=True)


def _positions(api: Api) -> list[int]:
    return [event["position"] for event in api("GET", "events/?limit=100").json()["events"]]


def _make_due() -> None:
    """Let the waits between attempts pass."""
    Endpoint.objects.update(retry_at=timezone.now() - timedelta(seconds=1))


def test_an_endpoint_gets_exactly_its_events_in_order_signed_as_the_standard_says(
    joe: Api, ann: Api, boss: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    joe.buy()
    mine = joe.hook(receiver.url + "?mine", after=0)
    all = boss.hook(receiver.url + "?all", scope="all", after=0, batch=3)
    joe.buy(2)
    ann.buy(2)
    # Two processes share the endpoints, and nothing is sent twice.
    with delivering(monkeypatch), delivering(monkeypatch):
        wait_for(lambda: Endpoint.objects.get(pk=all["id"]).position == 5)
        wait_for(lambda: len(receiver.got) == 5)
        ann.buy()
        wait_for(lambda: Endpoint.objects.get(pk=all["id"]).position == 6)
    assert len(receiver.got) == 6
    by_path = {
        path: [got for got in receiver.got if got.path == path]
        for path in ("/hook?mine", "/hook?all")
    }
    assert [got.positions() for got in by_path["/hook?mine"]] == [[1], [2], [3]]
    assert [got.positions() for got in by_path["/hook?all"]] == [[1, 2, 3], [4, 5], [6]]
    for got in receiver.got:
        hook = mine if got in by_path["/hook?mine"] else all
        assert Webhook(hook["secret"]).verify(got.body, got.headers) == got.json()
        message = got.json()
        assert message["type"] == "purchase.recorded"
        assert message["data"]["position"] >= got.positions()[-1]
    told = [event for got in by_path["/hook?all"] for event in got.json()["data"]["events"]]
    assert told == boss("GET", "events/?scope=all").json()["events"]
    shown = joe("GET", f"webhooks/{mine['id']}/deliveries/?state=delivered").json()["results"]
    assert [each["events"] for each in shown] == [1, 1, 1]
    assert shown[0]["attempts"][0]["status"] == 204


def test_after_an_outage_of_days_the_receiver_holds_exactly_the_log(
    joe: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = joe.hook(receiver.url, batch=4)
    path = f"webhooks/{hook['id']}/"
    joe.buy(3)
    # It takes the first message, but its answer says otherwise.
    receiver.answer = lambda got, handler: 503
    with delivering(monkeypatch):
        for attempt in range(1, len(WAITS) + 1):
            wait_for(lambda: Attempt.objects.count() == attempt)  # noqa: B023
            wait_for(lambda: Endpoint.objects.get().claim is None)
            endpoint = Endpoint.objects.get()
            assert endpoint.retry_at is not None
            seconds = (endpoint.retry_at - timezone.now()).total_seconds()
            assert WAITS[attempt - 1] * 0.9 - 5 < seconds < WAITS[attempt - 1] * 1.1
            joe.buy(2)
            if attempt < len(WAITS):
                _make_due()
        assert sum(WAITS) == pytest.approx(75 * 3600, rel=0.01)
        receiver.answer = lambda got, handler: 200
        (waiting,) = joe("GET", f"{path}deliveries/?state=pending").json()["results"]
        assert joe("POST", f"{path}deliveries/{waiting['id']}/retry/").status_code == 202
        wait_for(lambda: Endpoint.objects.get().position == 21)
    assert len({got.id for got in receiver.got[:10]}) == 1
    assert len({got.body for got in receiver.got[:10]}) == 1
    stamps = [int(got.headers["webhook-timestamp"]) for got in receiver.got]
    assert stamps == sorted(stamps)
    assert receiver.log() == _positions(joe) == list(range(1, 22))
    assert joe("GET", path).json()["failing_since"] is None
    assert joe("POST", f"{path}deliveries/{waiting['id']}/retry/").status_code == 409


def _samples() -> dict[str, dict[str, float]]:
    return {
        family.name: {sample.labels["state"]: sample.value for sample in family.samples}
        for family in collect_webhooks()
    }


def test_an_endpoint_is_disabled_after_ten_attempts_or_410_and_goes_on_when_enabled(
    joe: Api, boss: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = joe.hook(receiver.url)
    joe.buy(2)
    receiver.answer = lambda got, handler: 302
    with delivering(monkeypatch):
        for _ in range(10):
            before = Attempt.objects.count()
            _make_due()
            wait_for(lambda: Attempt.objects.count() > before)  # noqa: B023
        wait_for(lambda: Endpoint.objects.get().state == "disabled")
        shown = joe("GET", f"webhooks/{hook['id']}/").json()
        assert (shown["state"], shown["disabled_reason"]) == ("disabled", "failing")
        assert shown["position"] == 0
        assert _samples() == {
            "shop_webhooks": {"active": 0, "failing": 0, "disabled": 1},
            "shop_webhooks_lag_events": {"active": 0, "failing": 0, "disabled": 2},
        }
        assert [each.count for each in find_attention(Caller.of(boss.user))] == [1]
        assert find_attention(Caller.of(joe.user)) == []
        for action in ("test/", "replay/"):
            answer = joe("POST", f"webhooks/{hook['id']}/{action}", {"after": 0})
            assert answer.status_code == 409
        receiver.answer = lambda got, handler: 410
        answer = joe("PATCH", f"webhooks/{hook['id']}/", {"state": "active"})
        assert answer.json()["state"] == "active"
        wait_for(lambda: Endpoint.objects.get().disabled_reason == "gone")
        receiver.answer = lambda got, handler: 200
        joe("PATCH", f"webhooks/{hook['id']}/", {"state": "active"})
        wait_for(lambda: Endpoint.objects.get().position == 2)
    # The first message kept its id, and no redirect was followed.
    assert len({got.id for got in receiver.got}) == 2
    assert {got.path for got in receiver.got} == {"/hook"}
    assert receiver.log() == [1, 2]
    mails = OutgoingMail.objects.filter(recipient="joe@example.com")
    assert mails.count() == 2
    assert all("webhook" in mail.subject for mail in mails)
    assert Waiting.objects.filter(action="webhook.disabled").count() == 2


def test_a_deliverer_killed_after_the_request_leaves_the_same_message_to_another(
    joe: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = joe.hook(receiver.url)
    joe.buy(2)
    dead = Claim(Endpoint.objects.get().pk, Endpoint.objects.get().pk)
    (claim,) = steps.endpoints_claim(dead.holder, failing=False, limit=10)
    assert claim == dead
    prepared = steps.delivery_prepare(claim)
    assert prepared is not None
    # The receiver has it, and the process dies. Nobody else may send while the claim is good.
    assert steps.endpoints_claim(Delivery.objects.get().pk, failing=False, limit=10) == []
    stale = timezone.now() - timedelta(seconds=steps.CLAIM_SECONDS + 1)
    Endpoint.objects.update(claimed_at=stale)
    with delivering(monkeypatch):
        wait_for(lambda: Endpoint.objects.get().position == 2)
    assert receiver.got[0].id == str(prepared.delivery)
    assert receiver.got[0].body == prepared.body
    assert [got.positions() for got in receiver.got] == [[1], [2]]
    # A process that was only stopped for long notes nothing.
    assert not steps.attempt_note(dead, prepared.delivery, timezone.now(), _outcome())
    assert steps.delivery_prepare(dead) is None
    assert Attempt.objects.count() == 2
    assert joe("GET", f"webhooks/{hook['id']}/").json()["position"] == 2


def test_a_process_killed_while_it_waits_for_an_answer_loses_nothing_and_keeps_the_id(
    joe: Api, boss: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    parameters = {"port": "", "password": "", "host": "", **own_connection_parameters()}
    url = "postgresql:///{dbname}?host={host}&port={port}&user={user}&password={password}"
    environment = os.environ | {
        "DATABASE_URL": url.format_map(parameters),
        "WEBHOOK_ALLOW": "127.0.0.1",
    }
    command = [sys.executable, "manage.py", "follow", "webhooks"]
    joe.hook(receiver.url)
    joe.buy(3)
    monkeypatch.setattr(health, "OVERDUE_SECONDS", 0)
    assert health_of(joe) == "webhooks: no process delivers webhooks"
    assert [each.count for each in find_attention(Caller.of(boss.user))] == [0, 1]
    over: list[bool] = []
    receiver.answer = lambda got, handler: 204 if over else wait_for(lambda: over, 60) and None
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log)
        wait_for(lambda: receiver.got)
        process.send_signal(signal.SIGKILL)
        process.wait()
    over.append(True)
    # The dead one's claim ends by itself.
    assert Endpoint.objects.get().claim is not None
    stale = timezone.now() - timedelta(seconds=steps.CLAIM_SECONDS + 1)
    Endpoint.objects.update(claimed_at=stale)
    with delivering(monkeypatch):
        wait_for(lambda: Endpoint.objects.get().position == 3)
    assert receiver.got[0].id == receiver.got[1].id
    assert receiver.got[0].body == receiver.got[1].body
    assert [got.positions() for got in receiver.got] == [[1], [1], [2], [3]]
    assert health_of(joe) == ""


def health_of(api: Api) -> str:
    """Return what the health says of webhooks."""
    lines = api.client.get("/healthz").content.decode().splitlines()
    return next((line for line in lines if line.startswith("webhooks")), "")


def _outcome() -> Any:
    return steps.Outcome(1, status=500)


def test_a_hundred_dead_endpoints_do_not_delay_a_healthy_one(
    joe: Api, boss: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.WEBHOOKS_PER_ACCOUNT = 200
    with receiving() as tarpit:
        over: list[bool] = []
        tarpit.answer = lambda got, handler: wait_for(lambda: over, 20) and None
        boss.hook(tarpit.url, scope="all")
        first = Endpoint.objects.get()
        Endpoint.objects.bulk_create(
            Endpoint(
                owner=boss.user,
                url=tarpit.url,
                types=first.types,
                everything=True,
                position=0,
                secret=first.secret,
            )
            for _ in range(99)
        )
        joe.hook(receiver.url)
        with delivering(monkeypatch):
            joe.buy()
            wait_for(lambda: len(tarpit.got) == 100)
            for _ in range(3):
                count, begun = len(receiver.got), time.monotonic()
                joe.buy()
                wait_for(lambda: len(receiver.got) > count)  # noqa: B023
                assert time.monotonic() - begun < 1
            over.append(True)
        assert len(tarpit.got) == 100


def test_a_replay_repeats_a_range_and_never_moves_the_cursor(
    joe: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = joe.hook(receiver.url, batch=2)
    path = f"webhooks/{hook['id']}/"
    joe.buy(6)
    with delivering(monkeypatch):
        wait_for(lambda: Endpoint.objects.get().position == 6)
        live = {got.id for got in receiver.got}
        answer = joe("POST", f"{path}replay/", {"after": 1, "until": 5}, Idempotency_Key="again")
        assert answer.status_code == 202
        again = joe("POST", f"{path}replay/", {"after": 1, "until": 5}, Idempotency_Key="again")
        assert again.json() == answer.json()
        assert again["Idempotent-Replayed"] == "true"
        wait_for(lambda: len(receiver.got) == 5)
        assert joe("POST", f"{path}test/").status_code == 202
        wait_for(lambda: len(receiver.got) == 6)
        wait_for(lambda: not Delivery.objects.filter(state="pending").exists())
    replayed = receiver.got[3:5]
    assert [got.positions() for got in replayed] == [[2, 3], [4, 5]]
    assert not live & {got.id for got in replayed}
    assert receiver.got[5].json()["type"] == "webhook.test"
    assert Endpoint.objects.get().position == 6
    for body, status in (({"after": 5, "until": 4}, 400), ({"after": 0, "until": 7}, 409)):
        assert joe("POST", f"{path}replay/", body).status_code == status


def test_in_a_rotation_either_secret_verifies_and_afterwards_the_new_one(
    joe: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = joe.hook(receiver.url)
    new = joe("POST", f"webhooks/{hook['id']}/rotate-secret/", {"overlap_hours": 1}).json()
    assert new["secret"] != hook["secret"]
    with delivering(monkeypatch):
        joe.buy()
        wait_for(lambda: len(receiver.got) == 1)
        Endpoint.objects.update(previous_until=timezone.now())
        joe.buy()
        wait_for(lambda: len(receiver.got) == 2)
    both, one = receiver.got
    for secret in (new["secret"], hook["secret"]):
        Webhook(secret).verify(both.body, both.headers)
    Webhook(new["secret"]).verify(one.body, one.headers)
    assert len(one.headers["webhook-signature"].split()) == 1


def test_retry_after_is_kept_and_a_test_does_not_wait_for_it(
    joe: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttle(got: Got, handler: Any) -> None:
        body = b"slow\x00 down \xff" + b"x" * 2000
        handler.send_response(429)
        handler.send_header("Retry-After", "4000")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    receiver.answer = throttle
    hook = joe.hook(receiver.url)
    joe.buy()
    with delivering(monkeypatch):
        wait_for(lambda: Endpoint.objects.get().retry_at is not None)
        retry_at = Endpoint.objects.get().retry_at
        assert retry_at is not None
        assert 3900 < (retry_at - timezone.now()).total_seconds() <= 4000
        joe("POST", f"webhooks/{hook['id']}/test/")
        wait_for(lambda: len(receiver.got) == 2)
        wait_for(lambda: Attempt.objects.count() == 2)
    assert receiver.got[1].json()["type"] == "webhook.test"
    attempt = Attempt.objects.order_by("pk").first()
    assert attempt is not None
    assert (attempt.status, len(attempt.response_start)) == (429, 1000)
    assert attempt.response_start.startswith("slow\ufffd down \ufffd")
    assert Endpoint.objects.get().retry_at == retry_at


def test_a_cursor_without_events_ahead_comes_to_the_end_of_the_log(
    joe: Api, ann: Api, boss: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each look for events would read more of the log."""
    for api, scope in ((joe, "mine"), (boss, "all")):
        api.hook(receiver.url, scope=scope, events=["payment.received"])
    ann.buy(4)
    assert steps.endpoints_claim(uuid4(), failing=False, limit=10) == []
    # A few events more, and one statement moves them; many more, and they are claimed unseen.
    monkeypatch.setattr(steps, "SKIP_EVENTS", 3)
    Endpoint.objects.filter(everything=True).update(position=1)
    assert steps.cursors_skip() == 1
    assert Endpoint.objects.get(everything=False).position == 4
    monkeypatch.setattr(steps, "FAR", 2)
    with delivering(monkeypatch):
        wait_for(lambda: Endpoint.objects.get(everything=True).position == 4)
    assert not Delivery.objects.exists()


def test_an_owner_who_may_not_read_any_more_gets_nothing(
    joe: Api, boss: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accounts.models import User

    boss.hook(receiver.url + "?all", scope="all")
    joe.hook(receiver.url + "?mine")
    User.objects.filter(pk=boss.user.pk).update(is_superuser=False, is_staff=False)
    joe.buy()
    with delivering(monkeypatch):
        wait_for(lambda: Endpoint.objects.filter(disabled_reason="rights").exists())
        wait_for(lambda: len(receiver.got) == 1)
        User.objects.filter(pk=joe.user.pk).update(is_active=False)
        with_events = Event.objects.count()
        assert with_events == 1
        Endpoint.objects.filter(owner=joe.user).update(position=0)
        wait_for(lambda: Endpoint.objects.filter(disabled_reason="rights").count() == 2)
    assert [got.path for got in receiver.got] == ["/hook?mine"]


def test_the_receiver_of_the_documentation_knows_what_is_genuine() -> None:
    path = ROOT / "examples" / "receive_webhooks.py"
    spec = importlib.util.spec_from_file_location("receive_webhooks", path)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    secret, now, body = random_secret(), int(time.time()), b'{"data": {}}'
    signed = signature([random_secret(), secret], id="1", timestamp=now, body=body)
    headers = {
        "webhook-id": "1",
        "webhook-timestamp": str(now),
        "webhook-signature": signed,
    }
    assert example.is_genuine(secret, headers, body)
    assert not example.is_genuine(random_secret(), headers, body)
    assert not example.is_genuine(secret, headers, body + b" ")
    assert not example.is_genuine(secret, headers | {"webhook-timestamp": str(now - 301)}, body)


def test_an_endpoint_gets_the_events_of_its_owners_teams(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = Api("eve", "author")
    team, other = Team.objects.create(name="A"), Team.objects.create(name="B")
    membership = Membership.objects.create(team=team, user=eve.user)
    hook = eve.hook(receiver.url, events=["quiz.published"], scope="mine")

    def publish(team: Team, version: int) -> None:
        with transaction.atomic():
            about = {"company": "a", "quiz": team.pk, "slug": "a", "sha256": ""}
            emit(QUIZ_PUBLISHED, team=team.pk, data={**about, "version": version})
            number()

    def is_at(position: int) -> bool:
        return Endpoint.objects.get(pk=hook["id"]).position == position

    with delivering(monkeypatch):
        publish(other, 1)
        publish(team, 2)
        wait_for(lambda: is_at(2))
        assert receiver.log() == [2]
    membership.delete()
    publish(team, 3)
    assert steps.endpoints_claim(uuid4(), failing=False, limit=9) == []
