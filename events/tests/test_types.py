"""Types of events: declarations, permissions, requests by type, and `emit`."""

import json
import uuid
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import Token, User
from accounts.permissions import Permission as P
from accounts.permissions import role_mask
from events.ledger_checks import CHECKS
from events.models import Event, Outbox
from events.representation import Row, encode, present
from events.selectors import events_after
from events.services import PAYLOAD_MAX_BYTES, emit
from events.teams import NUMBER_IN_SQL, number_of
from events.tests.log import number
from events.tests.toy import types as toys
from events.tests.toy.types import INVOICE, QUIZ, RESTARTED, InvoiceIssued
from events.types import declared, forget_declared, named, readable
from people.models import Team

RECORDED = 1
# What billing declares is seen by the same callers.
KNOWN = {RECORDED, INVOICE.number, QUIZ.number, RESTARTED.number}


def _checks() -> set[str]:
    forget_declared()
    return {str(each.id) for each in run_checks() if str(each.id).startswith("events.")}


def test_what_the_shop_declares_is_in_order() -> None:
    assert _checks() == set()
    first = declared()[0]
    assert (first.name, first.number) == ("purchase.recorded", RECORDED)


@pytest.mark.parametrize(
    ("wrong", "id"),
    [
        ({"name": "other.thing", "number": RECORDED}, "events.E001"),
        ({"name": "purchase.recorded"}, "events.E002"),
        ({"number": 0}, "events.E003"),
        ({"number": 2**15}, "events.E003"),
        ({"name": "Invoice"}, "events.E003"),
        ({"name": f"{'x' * 70}.y"}, "events.E003"),
        ({"part": "kitchen"}, "events.E003"),
        ({"data": dict}, "events.E003"),
        ({"data": msgspec.defstruct("Loose", [("a", int)])}, "events.E003"),
    ],
)
def test_a_wrong_declaration_is_an_error_of_the_system_check(
    toy: None, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], id: str
) -> None:
    assert _checks() == set()
    monkeypatch.setattr(toys, "EVENT_TYPES", (replace(INVOICE, **wrong),))
    assert _checks() == {id}


def test_who_sees_which_types(toy: None) -> None:
    def seen(role: str, *, everything: bool) -> set[int]:
        return KNOWN & readable(role_mask([role]), everything=everything)

    assert seen("customer", everything=False) == {RECORDED, INVOICE.number}
    assert seen("customer", everything=True) == set()
    assert seen("client", everything=False) == {RECORDED}
    assert seen("author", everything=True) == {QUIZ.number}
    assert seen("support", everything=True) == {RECORDED, INVOICE.number}
    # No account has logs of its own, so they need `logs:read_all`.
    assert seen("operator", everything=True) == {RESTARTED.number}
    assert seen("operator", everything=False) == {RESTARTED.number}
    assert seen("admin", everything=True) == KNOWN
    everybodys = readable(role_mask(["admin"]), everything=True)
    assert everybodys == {type.number for type in declared()}


def test_followers_have_names_of_their_own(toy: None, monkeypatch: pytest.MonkeyPatch) -> None:
    config: Any = apps.get_app_config("events")
    monkeypatch.setattr(config, "followers", 2 * tuple(config.followers))
    assert _checks() == {"events.E004"}


@pytest.mark.django_db
def test_verify_ledger_finds_undeclared_events(toy: None, monkeypatch: pytest.MonkeyPatch) -> None:
    (check,) = [check for check in CHECKS if "declared type" in check.what]

    def broken() -> list[str]:
        return list(check.find_broken(lambda line: None))

    emit(INVOICE, data={"number": "A-1", "total": "1"})
    emit(QUIZ, data={"score": 1})
    positions = [str(row.position) for row in number()]
    assert broken() == []
    # One type is removed, and another one has reused its number.
    reused = replace(QUIZ, number=INVOICE.number)
    monkeypatch.setattr(toys, "EVENT_TYPES", (reused,))
    forget_declared()
    assert sorted(broken()) == positions


# --- emit ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_an_event_exists_exactly_if_its_change_was_committed(toy: None) -> None:
    invoice = InvoiceIssued("A-1", Decimal("12.30"), date(2026, 11, 26))
    with pytest.raises(transaction.TransactionManagementError):
        emit(INVOICE, data=invoice)
    with transaction.atomic():
        emit(INVOICE, data=invoice)
        assert Outbox.objects.count() == 1
        transaction.set_rollback(True)
    assert Outbox.objects.count() == 0
    with transaction.atomic():
        key = emit(INVOICE, data=invoice)
    with transaction.atomic():
        (row,) = number()
    assert row.key == key
    assert Event.objects.get().payload == {"number": "A-1", "total": "12.30", "due": "2026-11-26"}


@pytest.mark.django_db
def test_an_event_has_the_general_shape(toy: None) -> None:
    joe = User.objects.create(username="joe", userid="005")
    key = uuid.uuid4()
    emit(INVOICE, customer=joe.pk, data={"number": "A-1", "total": "12.30"}, id=key)
    emit(RESTARTED)
    number()
    found = events_after(0, audience=None, limit=10, types=None)
    shown = [json.loads(encode(event).text) for event in found]
    by_name = {event["event"]: event for event in shown}
    told = by_name["ticket.issued"]
    assert list(told) == ["position", "event", "at", "customer", "data"]
    assert told["customer"] == "005"
    assert told["data"] == {"number": "A-1", "total": "12.30", "due": None}
    assert told["at"].endswith("Z")
    restarted = by_name["deploy.restarted"]
    assert (restarted["customer"], restarted["data"]) == (None, {})
    assert Event.objects.filter(key=key).exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "data",
    [
        {"number": "A-1", "total": "12.30", "colour": "red"},
        {"number": "A-1"},
        {"number": 1, "total": "12.30"},
        {"number": "A-1", "total": "a lot"},
        InvoiceIssued(number=1, total=Decimal(1)),  # type: ignore[arg-type]
        None,
    ],
)
def test_data_that_are_not_as_declared_are_refused(toy: None, data: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        emit(INVOICE, data=data)
    assert Outbox.objects.count() == 0


@pytest.mark.django_db
def test_what_is_not_declared_or_too_much_is_refused(toy: None) -> None:
    with pytest.raises(LookupError):
        emit(replace(INVOICE, number=30_009), data={"number": "A-1", "total": "1"})
    with pytest.raises(ValueError, match="bytes"):
        emit(INVOICE, data={"number": "x" * PAYLOAD_MAX_BYTES, "total": "1"})
    for text in ("a\0b", "\\\0", "\ud800"):
        with pytest.raises(ValueError, match=r"NUL|surrogates"):
            emit(INVOICE, data={"number": text, "total": "1"})
    assert emit(INVOICE, data={"number": r"a\u0000", "total": "1"})
    Outbox.objects.all().delete()
    recorded = named("purchase.recorded")
    assert recorded is not None
    with pytest.raises(ValueError, match="takes an id"):
        emit(recorded, data={})
    assert Outbox.objects.count() == 0


@pytest.mark.django_db
def test_an_event_about_a_team_is_about_no_customer(toy: None) -> None:
    team = Team.objects.create(name="A")
    data = {"number": "A-1", "total": "1"}
    for type, customer in ((INVOICE, 1), (RESTARTED, None)):
        with pytest.raises(ValueError, match="about no team"):
            emit(type, customer=customer, team=team.pk, data=data)
    emit(INVOICE, team=team.pk, data=data)
    (row,) = number()
    assert (row.customer_id, row.recorder_id) == (None, number_of(team.pk))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {NUMBER_IN_SQL.format(team='id')} FROM people_team")
        assert cursor.fetchone() == (row.recorder_id,)


@pytest.mark.django_db
def test_an_event_type_of_another_version_is_skipped() -> None:
    row = Row(7, uuid.uuid4(), 31_000, None, None, {"secret": 1}, User().date_joined)
    (event,) = present([row])
    assert json.loads(encode(event).text) == {"position": 7}
    assert all(31_000 not in readable(int(mask), everything=True) for mask in (P(0), ~P(0)))


# --- GET /api/v1/events/ -----------------------------------------------------------------------


@pytest.fixture
def log(toy: None, db: None) -> dict[str, str]:
    """Make accounts of several roles and events of several types; return tokens by name."""
    tokens = {}
    accounts = {}
    for name, roles in (("joe", []), ("ann", []), ("eve", ["support"]), ("ops", ["operator"])):
        user = User.objects.create(
            username=name, userid=name, role_permissions=int(role_mask(roles))
        )
        user.refresh_from_db()
        accounts[name] = user
        tokens[name] = Token.objects.create(user)[1]
    limited, tokens["limited"] = Token.objects.create(accounts["joe"])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE knox_authtoken SET permissions = %s WHERE digest = %s",
            [int(P.PURCHASES_READ), limited.pk],
        )
    for name in ("joe", "ann"):
        emit(INVOICE, customer=accounts[name].pk, data={"number": name, "total": "1"})
        number()
        emit(QUIZ, customer=accounts[name].pk, data={"score": 3})
        number()
    emit(RESTARTED)
    number()
    return tokens


def _get(client: Any, token: str, query: str = "", path: str = "/api/v1/events/") -> Any:
    return client.get(f"{path}{query}", headers={"Authorization": f"Token {token}"})


def _seen(client: Any, token: str, query: str) -> list[tuple[str, str | None]]:
    answer = _get(client, token, query)
    assert answer.status_code == 200, answer.content
    page = answer.json()
    positions = [event["position"] for event in page["events"]]
    assert positions == sorted(positions)
    return [(event["event"], event["customer"]) for event in page["events"]]


def test_types_select_from_the_readable_types(log: dict[str, str], client: Any) -> None:
    assert _seen(client, log["joe"], "") == []
    assert _seen(client, log["joe"], "?types=*") == [("ticket.issued", "joe")]
    assert _seen(client, log["joe"], "?types=ticket.issued,purchase.recorded") == [
        ("ticket.issued", "joe")
    ]
    assert _seen(client, log["limited"], "?types=*") == []
    # Without a scope, support sees everybody's events of the parts that it may read.
    both = [("ticket.issued", "joe"), ("ticket.issued", "ann")]
    assert _seen(client, log["eve"], "?types=*") == both
    assert _seen(client, log["eve"], "?types=ticket.issued") == both
    assert _seen(client, log["eve"], "?types=ticket.issued&limit=1") == both[:1]
    assert _seen(client, log["eve"], "?types=*&scope=mine") == []
    assert _seen(client, log["ops"], "?types=*") == [("deploy.restarted", None)]


@pytest.mark.parametrize(
    ("name", "query", "status", "accepted"),
    [
        ("joe", "?types=nothing.such", 400, None),
        ("joe", "?types=", 400, None),
        ("joe", "?types=ticket.issued,", 400, None),
        ("joe", "?types=*,ticket.issued", 400, None),
        ("joe", "?types=game.finished", 403, "quizzes:read"),
        ("joe", "?types=ticket.issued&scope=all", 403, "billing:read_all"),
        ("joe", "?types=*&scope=all", 403, "purchases:read_all"),
        ("joe", "?types=deploy.restarted", 403, "logs:read_all"),
        ("limited", "?types=purchase.recorded,ticket.issued", 403, "billing:read"),
        ("eve", "?types=game.finished&scope=all", 403, "quizzes:read_all"),
    ],
)
def test_unknown_and_forbidden_types_are_refused(
    log: dict[str, str], client: Any, name: str, query: str, status: int, accepted: str | None
) -> None:
    answer = _get(client, log[name], query)
    assert answer.status_code == status, answer.content
    assert answer.headers.get("Accepted-Permissions") == accepted


def test_the_types_that_a_caller_may_see_are_listed(log: dict[str, str], client: Any) -> None:
    def listed(name: str) -> dict[str, Any]:
        answer = _get(client, log[name], path="/api/v1/events/types/")
        assert answer.status_code == 200
        names = {type.name for type in declared() if type.number in KNOWN}
        return {each["type"]: each for each in answer.json() if each["type"] in names}

    assert set(listed("joe")) == {"purchase.recorded", "ticket.issued"}
    assert set(listed("limited")) == {"purchase.recorded"}
    assert set(listed("ops")) == {"purchase.recorded", "ticket.issued", "deploy.restarted"}
    invoice = listed("joe")["ticket.issued"]
    assert (invoice["part"], invoice["description"]) == ("billing", "An invoice was issued.")
    (shape,) = invoice["schema"]["$defs"].values()
    assert set(shape["properties"]) == {"number", "total", "due"}
    assert shape["additionalProperties"] is False
    assert client.get("/api/v1/events/types/").status_code == 401


def test_rare_types_are_found_by_an_index(toy: None, db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO events_event (position, id, type, at)
               SELECT n, uuidv7(), CASE mod(n, 5000) WHEN 0 THEN %s ELSE 1 END, now()
               FROM generate_series(1, 20000) AS n""",
            [INVOICE.number],
        )
        cursor.execute("ANALYZE events_event")
    with CaptureQueriesContext(connection) as queries:
        found = events_after(0, audience=None, limit=2, types={INVOICE.number, QUIZ.number})
    assert [event.position for event in found] == [5000, 10000]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {queries[0]['sql']}")
        plan = json.dumps(cursor.fetchone()[0])
    assert '"Rows Removed by Filter"' not in plan
    assert "Seq Scan" not in plan
