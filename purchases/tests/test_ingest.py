"""The ingest alone: its bounds and its retries."""

import asyncio
import threading
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client

from accounts.access import Caller
from accounts.authentication import token_digest
from accounts.keys.services import key_create
from accounts.keys.usage import last_uses
from accounts.models import Token, User
from accounts.permissions import Permission
from events.models import Outbox
from purchases.entries import Entry, KeyHeld, Outcome, Recorded, identify
from purchases.ingest import engine as module
from purchases.ingest.engine import Ingest
from purchases.ingest.pending import PendingPurchase
from purchases.ingest.slow import InvalidToken, write_batch
from purchases.ingest.writer import Writer
from purchases.models import Purchase
from purchases.sql import INSERT_IF_STILL_SIGNED_IN
from purchases.validation import PurchaseInput
from shop.core import background
from shop.core.database import own_connection_parameters
from shop.core.errors import ApplicationError, Forbidden, OutcomeUnknown, Unavailable
from shop.core.idempotency import IdempotencyKeyReused
from shop.core.lookups import DatabaseThreads
from tests.system import wait_for

pytestmark = pytest.mark.django_db(transaction=True)
DATABASE = DatabaseThreads(1, "test")


def _purchase(item: str, timestamp: datetime | None = None) -> PurchaseInput:
    return PurchaseInput(item, 1, Decimal("1.00"), "EUR", timestamp, None, None)


@pytest.fixture
def digest() -> str:
    user = User.objects.create(username="joe", userid="005")
    return str(Token.objects.create(user)[0].digest)


def _run(*steps: Any) -> list[Outcome]:
    """Run each step, a function of an ingest that returns an awaitable, one after the other."""

    async def run() -> list[Outcome]:
        ingest = Ingest()
        ingest.start()
        try:
            return [await step(ingest) for step in steps]
        finally:
            await ingest.stop()

    return asyncio.run(run())


async def _outcome(
    ingest: Ingest, digest: str, purchase: PurchaseInput, key: str | None = None
) -> Outcome:
    try:
        return await ingest.record(digest, purchase, key)
    except ApplicationError as error:
        return error


def test_the_second_purchase_of_an_account_takes_the_fast_path(
    digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = []

    def slow_path(batch: list[PendingPurchase], cache: Any, record: Any) -> list[Outcome]:
        slow.append(len(batch))
        return write_batch(batch, cache, record)

    monkeypatch.setattr(module, "write_batch", slow_path)
    outcomes = _run(*[lambda i, n=n: _outcome(i, digest, _purchase(f"b{n}")) for n in range(4)])
    assert all(isinstance(outcome, Recorded) for outcome in outcomes)
    assert slow == [1]
    assert Purchase.objects.count() == Outbox.objects.count() == 4


def test_an_account_that_was_deactivated_is_refused_though_it_is_cached(digest: str) -> None:
    async def deactivate(ingest: Ingest) -> Any:
        await DATABASE.run(User.objects.filter(userid="005").update, is_active=False)

    first, _, second = _run(
        lambda i: _outcome(i, digest, _purchase("first")),
        deactivate,
        lambda i: _outcome(i, digest, _purchase("second")),
    )
    assert isinstance(first, Recorded)
    assert isinstance(second, InvalidToken)
    assert Purchase.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "userid", "accepted"),
    [
        # First the token may only read, and then it may record only for its own account.
        ("UPDATE knox_authtoken SET permissions = 1", None, "purchases:write"),
        ("UPDATE knox_authtoken SET permissions = 2", "006", "purchases:write_all"),
        # The account loses its staff status.
        ("UPDATE accounts_user SET is_staff = false", "006", "purchases:write_all"),
    ],
)
def test_a_right_that_was_taken_away_is_refused_though_it_is_cached(
    digest: str, change: str, userid: str | None, accepted: str
) -> None:
    User.objects.update(is_staff=True)
    User.objects.create(username="ann", userid="006")

    async def take_away(ingest: Ingest) -> Any:
        await DATABASE.run(_execute, change)

    def buy(item: str) -> PurchaseInput:
        return PurchaseInput(item, 1, Decimal("1.00"), "EUR", None, userid, None)

    first, second, _, third = _run(
        lambda i: _outcome(i, digest, buy("first")),
        lambda i: _outcome(i, digest, buy("second")),
        take_away,
        lambda i: _outcome(i, digest, buy("third")),
    )
    assert isinstance(first, Recorded)
    assert isinstance(second, Recorded)
    assert isinstance(third, Forbidden)
    assert third.accepted == accepted
    assert Purchase.objects.count() == 2


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_customer_who_was_renamed_is_shown_by_the_new_name(digest: str) -> None:
    async def rename(ingest: Ingest) -> Any:
        await DATABASE.run(User.objects.filter(userid="005").update, username="joseph")

    _, _, second = _run(
        lambda i: _outcome(i, digest, _purchase("first")),
        rename,
        lambda i: _outcome(i, digest, _purchase("second")),
    )
    assert isinstance(second, Recorded)
    assert second.purchase["username"] == "joseph"


def test_a_full_queue_refuses_and_the_memory_is_bounded(
    digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUEUE", 5)

    async def run() -> list[Outcome]:
        ingest = Ingest()
        # No writer runs yet, so all requests wait.
        asked = [
            asyncio.create_task(_outcome(ingest, digest, _purchase(f"b{n}"))) for n in range(8)
        ]
        await asyncio.sleep(0.05)
        assert sum(task.done() for task in asked) == 3
        ingest.start()
        try:
            return await asyncio.gather(*asked)
        finally:
            await ingest.stop()

    outcomes = asyncio.run(run())
    refused = [outcome for outcome in outcomes if isinstance(outcome, Unavailable)]
    assert len(refused) == 3
    assert Purchase.objects.count() == 5


def test_what_was_told_that_nothing_is_recorded_is_not_recorded(
    digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.05)

    async def run() -> Outcome:
        ingest = Ingest()
        # No writer runs yet, so the deadline passes while the request waits.
        sweep = asyncio.create_task(ingest._sweep())
        outcome = await _outcome(ingest, digest, _purchase("late"))
        sweep.cancel()
        monkeypatch.setattr(module, "ANSWER_SECONDS", 30)
        ingest.start()
        assert isinstance(await _outcome(ingest, digest, _purchase("after")), Recorded)
        await ingest.stop()
        return outcome

    outcome = asyncio.run(run())
    assert type(outcome) is Unavailable
    assert [purchase.item for purchase in Purchase.objects.all()] == ["after"]


def test_what_waits_for_the_slow_path_is_not_recorded_after_its_answer(
    digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each thread hangs at one purchase, as in an outage; three more wait behind them."""
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.05)
    started, released = threading.Semaphore(0), threading.Event()

    def slow_path(batch: list[PendingPurchase], cache: Any, record: Any) -> list[Outcome]:
        started.release()
        assert released.wait(30)
        return write_batch(batch, cache, record)

    monkeypatch.setattr(module, "write_batch", slow_path)

    async def run() -> tuple[list[Outcome], list[Outcome]]:
        ingest = Ingest()
        ingest.start()
        hanging = []
        for number in range(module.THREADS):
            purchase = _purchase(f"hangs {number}")
            hanging.append(asyncio.create_task(_outcome(ingest, digest, purchase)))
            await asyncio.to_thread(started.acquire)
        waiting = [_outcome(ingest, digest, _purchase(f"waits {number}")) for number in range(3)]
        waited = await asyncio.gather(*waiting)
        hung = await asyncio.gather(*hanging)
        monkeypatch.setattr(module, "ANSWER_SECONDS", 30)
        released.set()
        assert isinstance(await _outcome(ingest, digest, _purchase("after")), Recorded)
        await ingest.stop()
        return hung, waited

    hung, waited = asyncio.run(run())
    assert {type(outcome) for outcome in hung} == {OutcomeUnknown}
    assert {type(outcome) for outcome in waited} == {Unavailable}
    expected = ["after", *[f"hangs {number}" for number in range(module.THREADS)]]
    # At the end the engine does not wait for a thread that hangs.
    wait_for(lambda: Purchase.objects.count() >= len(expected), 20)
    assert sorted(purchase.item for purchase in Purchase.objects.all()) == expected


def test_of_two_bodies_of_one_key_at_once_the_first_is_recorded(digest: str) -> None:
    async def at_once(ingest: Ingest) -> Any:
        await _outcome(ingest, digest, _purchase("warm"))
        return await asyncio.gather(
            *[_outcome(ingest, digest, _purchase(f"body {n}"), "key") for n in range(8)]
        )

    outcomes: Any = _run(at_once)[0]
    first, *others = outcomes
    assert isinstance(first, Recorded)
    assert {type(outcome) for outcome in others} == {IdempotencyKeyReused}
    stored = Purchase.objects.exclude(item="warm").get()
    assert (stored.item, str(stored.id)) == ("body 0", str(first.values[0]))


def test_a_lost_commit_is_never_said_to_have_recorded_nothing(
    digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks at the commit, and PostgreSQL stays away."""
    real = Writer._insert

    async def insert(self: Writer, rows: Any, batch: Any) -> Any:
        await real(self, rows, batch)
        raise OSError("connection reset")

    async def lose_one(ingest: Ingest) -> Any:
        await _outcome(ingest, digest, _purchase("warm"))
        monkeypatch.setattr(Writer, "_insert", insert)
        monkeypatch.setattr(
            module, "write_batch", lambda batch, cache, record: [Unavailable() for _ in batch]
        )
        return await _outcome(ingest, digest, _purchase("lost"))

    assert isinstance(_run(lose_one)[0], OutcomeUnknown)
    assert Purchase.objects.filter(item="lost").exists()


@pytest.mark.parametrize("timestamp", [None, datetime(2024, 5, 31, tzinfo=UTC)])
def test_an_unknown_outcome_of_the_fast_path_is_not_recorded_twice(
    digest: str, monkeypatch: pytest.MonkeyPatch, timestamp: datetime | None
) -> None:
    real = Writer._insert

    async def insert(self: Writer, rows: Any, batch: Any) -> Any:
        await real(self, rows, batch)
        # The answer to the commit is lost.
        raise OSError("connection reset")

    monkeypatch.setattr(Writer, "_insert", insert)
    outcomes = _run(
        *[lambda i, n=n: _outcome(i, digest, _purchase(f"b{n}", timestamp)) for n in range(3)]
    )
    assert all(isinstance(outcome, Recorded) for outcome in outcomes)
    assert Purchase.objects.count() == Outbox.objects.count() == 3


def test_a_foreign_lock_delays_only_the_purchase_that_needs_it(digest: str) -> None:
    moment = datetime(2024, 5, 31, tzinfo=UTC)
    blocked = _purchase("blocked", moment)
    parameters = own_connection_parameters()
    [first] = _run(lambda i: _outcome(i, digest, blocked))
    assert isinstance(first, Recorded)
    key = Purchase.objects.get().dedupe_key
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE purchases_purchase DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM events_outbox")
        cursor.execute("DELETE FROM purchases_purchase")
        cursor.execute("ALTER TABLE purchases_purchase ENABLE TRIGGER USER")
    user = User.objects.get()
    with psycopg.connect(**parameters) as other:
        # Another transaction has recorded the same purchase and has not committed yet.
        other.execute(
            'INSERT INTO purchases_purchase (item, quantity, price, currency, "timestamp",'
            " recorded_by_id, customer_id, dedupe_key)"
            " VALUES ('blocked', 1, 1, 'EUR', %s, %s, %s, %s)",
            [moment, user.pk, user.pk, key],
        )

        async def all_at_once(ingest: Ingest) -> Any:
            await _outcome(ingest, digest, _purchase("warm", moment))
            return await asyncio.gather(
                _outcome(ingest, digest, blocked),
                *[_outcome(ingest, digest, _purchase(f"free {n}", moment)) for n in range(5)],
            )

        outcomes: Any = _run(all_at_once)[0]
        other.rollback()
    stopped, *free = outcomes
    assert isinstance(stopped, Unavailable)
    assert all(isinstance(outcome, Recorded) for outcome in free)


async def _seconds_of(ingest: Ingest, digest: str, count: int) -> list[float]:
    """Return the sorted durations of that many consecutive purchases, the slowest last."""
    seconds = []
    for number in range(count):
        started = time.monotonic()
        outcome = await _outcome(ingest, digest, _purchase(f"other {number}"))
        assert isinstance(outcome, Recorded)
        seconds.append(time.monotonic() - started)
    return sorted(seconds)


def test_an_account_that_waits_for_locks_delays_no_other(digest: str) -> None:
    """A bulk request locks the keys of its lines while a client sends the same lines singly."""
    joe = User.objects.get()
    ann = User.objects.create(username="ann", userid="006")
    other = str(Token.objects.create(ann)[0].digest)
    moment = datetime(2024, 5, 31, tzinfo=UTC)
    held = [_purchase(f"held {number}", moment) for number in range(100)]
    with psycopg.connect(**own_connection_parameters()) as holder:
        for purchase in held:
            row = identify(0, Entry(Caller.of(joe), purchase), joe.pk, "joe", "005")
            holder.execute(
                'INSERT INTO purchases_purchase (item, quantity, price, currency, "timestamp",'
                " recorded_by_id, customer_id, dedupe_key)"
                " VALUES (%s, 1, 1, 'EUR', %s, %s, %s, %s)",
                [purchase.item, moment, joe.pk, joe.pk, row.dedupe_key],
            )

        async def beside(ingest: Ingest) -> Any:
            await asyncio.gather(
                *[_outcome(ingest, each, _purchase("warm")) for each in (digest, other)]
            )
            quiet = await _seconds_of(ingest, other, 40)
            refused: list[tuple[Outcome, float]] = []

            async def wait_for_locks(number: int) -> None:
                while True:
                    started = time.monotonic()
                    outcome = await _outcome(ingest, digest, held[number])
                    refused.append((outcome, time.monotonic() - started))

            tasks = [asyncio.create_task(wait_for_locks(number)) for number in range(100)]
            await asyncio.sleep(0.5)
            busy = await _seconds_of(ingest, other, 40)
            free = await _outcome(ingest, digest, _purchase("free", moment))
            for task in tasks:
                task.cancel()
            return quiet, busy, refused, free

        found: Any = _run(beside)[0]
        quiet, busy, refused, free = found
        holder.rollback()
    # The median and the 95th percentile; a shared batch that waits for the lock takes seconds.
    assert busy[20] < 10 * quiet[20] + 0.3, (quiet[20], busy[20])
    assert busy[37] < 10 * quiet[37] + 1.0, (quiet[37], busy[37])
    assert {type(outcome) for outcome, _ in refused} <= {KeyHeld, Unavailable}
    assert max(seconds for _, seconds in refused) < module.ANSWER_SECONDS + 1
    # Each request gets an answer, at once if its lane is full.
    assert isinstance(free, Recorded | KeyHeld)


def test_one_that_waits_for_a_lock_is_refused_at_once_on_the_slow_path_too(digest: str) -> None:
    """Its account is not cached, so it takes the threads that all accounts share."""
    joe = User.objects.get()
    moment = datetime(2024, 5, 31, tzinfo=UTC)
    held = _purchase("held", moment)
    row = identify(0, Entry(Caller.of(joe), held), joe.pk, "joe", "005")
    with psycopg.connect(**own_connection_parameters()) as holder:
        holder.execute(
            'INSERT INTO purchases_purchase (item, quantity, price, currency, "timestamp",'
            " recorded_by_id, customer_id, dedupe_key)"
            " VALUES ('held', 1, 1, 'EUR', %s, %s, %s, %s)",
            [moment, joe.pk, joe.pk, row.dedupe_key],
        )
        started = time.monotonic()
        [outcome] = _run(lambda i: _outcome(i, digest, held))
        seconds = time.monotonic() - started
        holder.rollback()
    assert isinstance(outcome, KeyHeld)
    # A wait for the whole lock timeout of a connection would take two seconds.
    assert seconds < 1.9


def test_an_answer_that_fails_ends_no_writer(digest: str) -> None:
    def fail(outcome: Outcome) -> None:
        raise RuntimeError("The protocol is broken.")

    async def break_it(ingest: Ingest) -> Any:
        for number in range(module.WRITERS + module.THREADS):
            ingest.submit(PendingPurchase(digest, _purchase(f"broken {number}"), None, fail))
        return [await _outcome(ingest, digest, _purchase(f"after {n}")) for n in range(3)]

    outcomes: Any = _run(break_it)[0]
    assert all(isinstance(outcome, Recorded) for outcome in outcomes)


def test_a_writer_that_fails_is_started_again(digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "RESTART_SECONDS", 0.05)
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.5)
    real = Writer.write
    failures = iter(range(module.WRITERS))

    async def write(self: Writer, batch: Any) -> Any:
        if batch and next(failures, None) is not None:
            raise RuntimeError("A defect.")
        return await real(self, batch)

    monkeypatch.setattr(Writer, "write", write)
    steps = [lambda i, n=n: _outcome(i, digest, _purchase(f"b{n}")) for n in range(5)]
    outcomes = _run(*steps)
    failed = module.WRITERS
    assert [type(outcome) for outcome in outcomes[:failed]] == [Unavailable] * failed
    assert all(isinstance(outcome, Recorded) for outcome in outcomes[failed:])


def _credentials(kind: str) -> str:
    """Return the text of a credential of joe's."""
    joe = User.objects.create_user("joe", "joe@example.com", "orchid-lamp-42", userid="005")
    if kind == "token":
        return Token.objects.create(joe)[1]
    key = key_create(user=joe, name="till", permissions=Permission.PURCHASES_WRITE).text
    if kind == "key":
        return key
    client = Client(headers={"authorization": f"Token {key}"})
    answer = client.post("/api/v1/auth/jwt/", content_type="application/json")
    return str(answer.json()["access"])


@pytest.mark.parametrize("kind", ["token", "key", "jwt"])
def test_a_buy_costs_one_statement_whatever_the_credential(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = _credentials(kind)
    digest = token_digest(text)
    assert digest is not None
    sent: list[str] = []
    execute = psycopg.AsyncConnection.execute

    async def counted(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        sent.append(query)
        return await execute(self, query, *args, **kwargs)

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", counted)
    slow: list[int] = []

    def slow_path(batch: list[PendingPurchase], cache: Any, record: Any) -> list[Outcome]:
        slow.append(len(batch))
        return write_batch(batch, cache, record)

    monkeypatch.setattr(module, "write_batch", slow_path)

    async def revoke(ingest: Ingest) -> Any:
        await DATABASE.run(_execute, "DELETE FROM knox_authtoken")

    *recorded, _, refused = _run(
        *[lambda i, n=n: _outcome(i, digest, _purchase(f"b{n}")) for n in range(6)],
        revoke,
        lambda i: _outcome(i, digest, _purchase("late")),
    )
    assert [type(each) for each in recorded] == [Recorded] * 6
    # The first buy made the caller known. The others, and the one that is refused, are one each.
    assert sent == [INSERT_IF_STILL_SIGNED_IN] * 6
    assert isinstance(refused, InvalidToken)
    assert slow == [1, 1]


def test_a_key_of_networks_buys_only_from_there_and_never_by_the_fast_path(digest: str) -> None:
    other = Token.objects.create(User.objects.get())[0].digest

    def buy(digest: str, item: str, address: str) -> Any:
        async def step(ingest: Ingest) -> Outcome:
            try:
                return await ingest.record(digest, _purchase(item), None, lambda: address)
            except ApplicationError as error:
                return error

        return step

    async def bind(ingest: Ingest) -> Any:
        await DATABASE.run(_execute, "UPDATE knox_authtoken SET networks = '{10.0.0.0/8}'")

    outcomes = _run(
        buy(digest, "before", "192.0.2.1"),
        bind,
        *[buy(digest, f"n{n}", "10.0.0.1" if n % 2 else "192.0.2.1") for n in range(6)],
        buy(other, "mapped", "::ffff:10.0.0.1"),
        buy(other, "nowhere", ""),
        buy(other, "garbage", "10.0.0.1, 192.0.2.1"),
    )
    kinds = [type(each) for each in outcomes if each is not None]
    good, bad = Recorded, InvalidToken
    assert kinds == [good, bad, good, bad, good, bad, good, good, bad, bad]
    assert last_uses.write() == 2
    addresses = Token.objects.values_list("last_used_address", flat=True)
    assert set(addresses) == {"192.0.2.1", "10.0.0.1"}
