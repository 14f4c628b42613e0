"""Reading the audit: who sees what of it, filters, pages, and the verification."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Token, TokenKind, User
from accounts.permissions import Permission as P
from audit.models import Entry, Waiting
from audit.notes import note_open, verifier_key
from audit.sealing import chain_reached, seal_waiting
from audit.services import record

pytestmark = pytest.mark.django_db


@pytest.fixture
def joe() -> User:
    return _unrecorded(User(username="joe", userid="005"))


@pytest.fixture
def ann() -> User:
    ann = User(username="ann", userid="ann-1")
    ann.give_roles(["auditor"])
    return _unrecorded(ann)


def _unrecorded(user: User) -> User:
    """Store an account without an entry, as a till stores the customers that it names."""
    return User.objects.bulk_create([user])[0]


def _get(user: User, path: str, **query: Any) -> Any:
    _, token = Token.objects.create(user=user)
    answer = Client().get(f"/api/v1/{path}", query, headers={"Authorization": f"Token {token}"})
    assert answer.status_code == 200, answer.content
    return answer.json()


def _record(actor: User, about: User, action: str = "account.changed", **more: Any) -> None:
    record(
        action,
        object=f"account:{about.pk}",
        actor_id=actor.pk,
        personal={"address": "192.0.2.7"},
        **more,
    )


def test_filters_and_pages(joe: User, ann: User) -> None:
    for number in range(5):
        _record(ann, joe, after={"number": number})
    _record(joe, joe, "password.changed")
    seal_waiting()

    def seqs(**query: Any) -> list[int]:
        return [entry["seq"] for entry in _get(ann, "audit/", **query)["results"]]

    assert seqs() == [6, 5, 4, 3, 2, 1]
    assert seqs(actor="joe") == seqs(actor="005") == seqs(actor=f"account:{joe.pk}") == [6]
    assert seqs(actor="nobody") == []
    assert seqs(account="joe", action="account") == [5, 4, 3, 2, 1]
    assert seqs(action="password.changed") == seqs(action="password") == [6]
    assert seqs(object=f"account:{joe.pk}", to=3) == [3, 2, 1]
    assert seqs(**{"from": 5}) == [6, 5]
    last = _get(ann, "audit/", to=6)["results"][0]["at"]
    assert seqs(since=last) == [6]
    assert seqs(until=last) == [6, 5, 4, 3, 2, 1]
    assert seqs(since=last[:10], until=last[:10]) == seqs()
    assert seqs(until="2024-05-31") == seqs(since="9999-12-31") == []
    page = _get(ann, "audit/", page_size=4)
    second = (
        Client()
        .get(page["next"], headers={"Authorization": f"Token {Token.objects.create(user=ann)[1]}"})
        .json()
    )
    assert [entry["seq"] for entry in second["results"]] == [2, 1]
    assert second["next"] is None
    assert seqs(cursor="last", page_size=2) == [2, 1]


def test_malformed_filters_are_named(ann: User) -> None:
    _, token = Token.objects.create(user=ann)
    for name, value in {
        "since": "yesterday", "until": "2024-05-31T10:00", "from": "-1", "to": "x",
        "actor": "x" * 300, "cursor": "bm9uZQ", "page_size": "0",
    }.items():  # fmt: skip
        answer = Client().get(
            "/api/v1/audit/", {name: value}, headers={"Authorization": f"Token {token}"}
        )
        assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, name)


def test_an_entry_has_what_the_contract_says_and_an_account_sees_its_own(
    joe: User, ann: User
) -> None:
    _record(ann, joe, before={"is_active": True}, after={"is_active": False})
    _record(joe, joe, "password.changed")
    _record(ann, ann)
    seal_waiting()
    entry = _get(ann, "audit/")["results"][2]
    assert entry["actor"] == f"account:{ann.pk}"
    assert entry["actor_name"] == "ann"
    assert (entry["before"], entry["after"]) == ({"is_active": True}, {"is_active": False})
    assert entry["personal"]["address"] == "192.0.2.7"
    assert entry["hash"] == _get(ann, "audit/")["results"][1]["previous"]
    mine = _get(joe, "accounts/me/audit/")["results"]
    assert [each["seq"] for each in mine] == [2, 1]
    # Nobody sees the address or the name of somebody else, who may be staff.
    assert [each["actor_name"] for each in mine] == ["joe", None]
    assert mine[0]["personal"]["address"] == "192.0.2.7"
    assert mine[1]["personal"] is None


def test_a_key_reads_everybodys_entries_with_the_permission_and_never_its_accounts_own(
    ann: User,
) -> None:
    for mask, status in ((P.AUDIT_READ_ALL, 200), (P.PURCHASES_READ_ALL, 403)):
        _, text = Token.objects.create(
            user=ann, kind=TokenKind.KEY, name="key", prefix="shk_1", permissions=int(mask)
        )
        client = Client(headers={"Authorization": f"Bearer {text}"})
        for path in ("", "verify/", "export.jsonl"):
            answer = client.get(f"/api/v1/audit/{path}")
            assert answer.status_code == status
        if status == 403:
            assert answer["Accepted-Permissions"] == "audit:read_all"
        assert client.get("/api/v1/accounts/me/audit/").status_code == 403


def test_a_part_of_the_chain_is_verified(
    joe: User, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.audit.api.VERIFIED_AT_ONCE", 4)
    for _ in range(10):
        _record(ann, joe)
    seal_waiting()
    verdict = _get(ann, "audit/verify/")
    assert verdict == {
        "ok": True, "from": 1, "to": 4, "checked": 4, "head": 10, "erased": 0, "findings": [],
        "next": 5,
    }  # fmt: skip
    assert _get(ann, "audit/verify/", **{"from": 9})["next"] is None
    assert _get(ann, "audit/verify/", **{"from": 2, "to": 3})["checked"] == 2
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER append_only ON audit_entry")
    Entry.objects.filter(seq=7).update(actor_id=joe.pk)
    Entry.objects.filter(seq__gte=9)._raw_delete("default")
    found = _get(ann, "audit/verify/", **{"from": 5})
    assert not found["ok"]
    assert [(each["fault"], each["seq"], each["until"]) for each in found["findings"]] == [
        ("changed", 7, 7)
    ]
    (cut,) = _get(ann, "audit/verify/", **{"from": 8})["findings"]
    assert (cut["fault"], cut["seq"], cut["until"]) == ("truncated", 9, 10)


def test_the_checkpoint_is_a_signed_note(joe: User, ann: User) -> None:
    _, token = Token.objects.create(user=ann)
    client = Client(headers={"Authorization": f"Token {token}"})
    assert client.get("/api/v1/audit/checkpoint/").status_code == 404
    _record(ann, joe)
    seal_waiting()
    answer = client.get("/api/v1/audit/checkpoint/")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert note_open(answer.content.decode()) == chain_reached()


def _as(user: User) -> Client:
    return Client(headers={"Authorization": f"Token {Token.objects.create(user=user)[1]}"})


def test_exports_hold_what_the_filters_let_through_and_are_recorded(
    joe: User, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.audit.exports.AT_ONCE", 2)
    for number in range(3):
        _record(ann, joe, after={"text": f"={number}"})
    _record(joe, joe, "password.changed")
    seal_waiting()
    client = _as(ann)
    first = client.get("/api/v1/audit/export.jsonl", {"action": "account.changed"})
    assert [json.loads(line)["seq"] for line in first.content.splitlines()] == [1, 2]
    following = first["Link"].partition(">")[0][1:]
    second = client.get(following)
    assert [json.loads(line)["seq"] for line in second.content.splitlines()] == [3]
    assert "Link" not in second
    table = client.get("/api/v1/audit/export.csv", {"from": 4})
    rows = list(csv.DictReader(io.StringIO(table.content.decode())))
    assert [(row["seq"], row["actor_name"], row["address"]) for row in rows] == [
        ("4", "joe", "192.0.2.7")
    ]
    assert client.get("/api/v1/audit/export.csv", {"from": "x"}).status_code == 400
    entries = Waiting.objects.filter(action="audit.exported").order_by("pk")
    assert [entry.after for entry in entries] == [
        {"format": "jsonl", "entries": 2},
        {"format": "jsonl", "entries": 1},
        {"format": "csv", "entries": 1},
    ]
    assert {entry.actor_id for entry in entries} == {ann.pk}
    assert all(entry.credential.startswith("token:") for entry in entries)


def test_a_script_without_our_code_finds_damage(joe: User, ann: User, tmp_path: Path) -> None:
    for number in range(6):
        _record(ann, joe, after={"text": f"ä \u20ac \U0001f600 \x7f {number}"})
    seal_waiting()
    client = _as(ann)
    lines = client.get("/api/v1/audit/export.jsonl").content.decode().splitlines()
    note = tmp_path / "note"
    note.write_bytes(client.get("/api/v1/audit/checkpoint/").content)
    file = tmp_path / "audit.jsonl"

    def check(lines: list[str]) -> str:
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        script = settings.BASE_DIR / "examples" / "verify_audit.py"
        done = subprocess.run(
            [sys.executable, script, file, note, verifier_key()],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return done.stdout if done.returncode == 0 else done.stderr

    assert check(lines) == "6 entries, the last 6\n"
    code = (settings.BASE_DIR / "examples" / "verify_audit.py").read_text()
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 40
    details = json.loads(lines[2])
    details["personal"]["address"] = "192.0.2.8"
    for damaged, said in (
        ([*lines[:2], lines[2].replace("account.changed", "account.created"), *lines[3:]],
         "entry 3 was changed"),
        ([*lines[:2], *lines[3:]], "after entry 2 comes 4"),
        ([lines[1], lines[0], *lines[2:]], "after entry 0 comes 2"),
        (lines[:5], "the note vouches for another entry 6, or the export ends before it"),
        ([*lines[:2], json.dumps(details), *lines[3:]],
         "the personal details of entry 3 were changed"),
    ):  # fmt: skip
        assert said in check(damaged)
    details["personal"] = None
    assert check([*lines[:2], json.dumps(details), *lines[3:]]) == "6 entries, the last 6\n"


def test_the_pages_show_what_happened(joe: User, ann: User) -> None:
    for number in range(60):
        _record(ann, joe, after={"number": number})
    _record(joe, joe, "password.changed")
    seal_waiting()
    auditor, customer = Client(), Client()
    auditor.force_login(ann, backend="django.contrib.auth.backends.ModelBackend")
    customer.force_login(joe, backend="django.contrib.auth.backends.ModelBackend")
    page = auditor.get("/audit/").content.decode()
    assert "The password was changed." in page
    assert 'href="/audit/61/"' in page
    assert 'href="/audit/11/"' not in page
    assert "192.0.2.7" in page
    older = auditor.get("/audit/?cursor=last").content.decode()
    assert 'href="/audit/1/"' in older
    one = auditor.get("/audit/?actor=joe&action=password.changed").content.decode()
    assert one.count("<tr>") == 2
    assert "/api/v1/audit/export.csv?actor=joe" in one
    assert "No entries match" in auditor.get("/audit/?actor=nobody").content.decode()
    wrong = auditor.get("/audit/?since=yesterday")
    assert "Give a day such as" in wrong.content.decode()
    entry = auditor.get("/audit/7/").content.decode()
    assert Entry.objects.get(seq=7).hash in entry
    assert "&quot;number&quot;: 6" in entry
    assert auditor.get("/audit/99/").status_code == 404
    mine = customer.get("/accounts/security/").content.decode()
    assert "The password was changed." in mine
    assert "192.0.2.7" in mine
    assert mine.count("By the staff") == 29
    assert "ann" not in mine.split("<main")[1]
    assert customer.get("/audit/").status_code == 403
    assert "/audit/" not in customer.get("/accounts/").content.decode()
    assert 'href="/audit/"' in auditor.get("/accounts/").content.decode()


def test_pages_cost_the_same_queries_for_few_and_many_entries(
    joe: User, ann: User, django_assert_num_queries: Any
) -> None:
    client = Client()
    client.force_login(ann, backend="django.contrib.auth.backends.ModelBackend")
    client.get("/audit/")
    counts = []
    for _ in range(2):
        for _ in range(20):
            _record(ann, joe)
        seal_waiting()
        for path in ("/audit/", "/accounts/security/"):
            with CaptureQueriesContext(connection) as queries:
                client.get(path)
            counts.append(len(queries))
    assert counts[:2] == counts[2:]
    assert max(counts) <= 9
