"""Two people are in every table; one takes everything along and is erased."""

import contextlib
import json
import zipfile
from decimal import Decimal
from hashlib import sha256
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, cast

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from accounts.models import Token, User
from documents import downloads, queue
from documents.models import Document
from events.tests.log import number
from personal.archive import sections
from personal.services import hold_release
from personal.subjects import Subject
from personal.tasks import erase_due
from personal.tests.canaries import Person, found_in_tables, session_of, texts_of
from personal.tests.conftest import recent
from purchases.models import Purchase
from shop.celery import app
from shop.core.columns import tables


def _buy(client: Client, token: str, **body: Any) -> Any:
    return client.post(
        "/api/v1/purchases/",
        {"item": "a book", "price": "2.50", "timestamp": "2026-01-02T03:04:05Z", **body},
        content_type="application/json",
        headers={"Authorization": f"Token {token}"},
    )


def _file(user: User, kind: str, text: str, **fields: Any) -> Document:
    from django.core.files.base import ContentFile
    from django.utils import timezone

    return Document.objects.create(
        kind=kind,
        requested_by=user,
        status="sent",
        rendered_at=timezone.now(),
        sha256=sha256(f"%PDF {text}".encode()).hexdigest(),
        file=downloads.store.save(f"{text}-{kind}.pdf", ContentFile(f"%PDF {text}".encode())),
        **fields,
    )


def _state() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT sum(price * quantity) FROM purchases_purchase),"
            " (SELECT count(*) FROM purchases_purchase), (SELECT array_agg(e ORDER BY position)"
            " FROM events_event AS e), (SELECT count(*) FROM accounts_user)"
        )
        return list(cursor.fetchone() or ())


@pytest.mark.django_db(transaction=True)
def test_an_export_holds_exactly_ones_own_and_an_erasure_leaves_nothing(
    private: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ann, bob = Person("qann7"), Person("qbob7")
    boss = User.objects.create(username="boss", is_staff=True, email="boss@example.com")
    tokens = {}
    for person in (ann, bob):
        tokens[person.word] = Token.objects.create(person.user)[1]
        assert _buy(Client(), tokens[person.word]).status_code == 201
        # Names in addresses of pages, and a failed sign-in.
        Client().post("/accounts/login/", {"login": person.user.username, "password": "wrong"})
        client = recent(boss)
        client.get(f"/customers/{person.user.userid}/")
        client.get("/search/", {"q": person.user.username})
        session_of(person)
    till = User.objects.create(username="till", is_client=True)
    till_token = Token.objects.create(till)[1]
    ann_till = Token.objects.create(User.objects.create(username="t2", is_client=True))[1]
    names = {"username": ann.user.username, "userid": ann.user.userid}
    assert _buy(Client(), till_token, **names, item="a lamp").status_code == 201
    assert _buy(Client(), ann_till, **names, item="a hat").status_code == 201
    number()
    planted = {person.word: person.plant() for person in (ann, bob)}
    sales = _file(boss, "sales", ann.word, since="2026-01-01", until="2026-01-31")
    other = _file(boss, "sales", "nobody", since="2025-01-01", until="2025-01-31")
    about = {"customer": ann.user.pk, "username": ann.user.username}
    statement = _file(
        boss, "customer_statement", f"{ann.word}2", since="2026-01-01", until="2026-01-02",
        parameters=about,
    )  # fmt: skip
    own = _file(ann.user, "statement", f"{ann.word}3", since="2026-01-01", until="2026-01-02")
    mail = private / "mail" / "1.eml"
    mail.parent.mkdir()
    mail.write_text(f"To: {ann.user.email}\n\nHello {ann.word}")
    # Every column that may name somebody has been planted, or is made as the site makes it.
    for table in tables():
        seen = {name for name in planted[ann.word] if name.startswith(f"{table.name}.")}
        for column in table.columns if seen else ():
            name = f"{table.name}.{column.name}"
            if column.personal and column.exported and column.name in texts_of(table.name):
                assert name in seen, f"{name}: has no canary"

    # The export.
    browser = recent(ann.user)
    asked = browser.post("/api/v1/accounts/me/exports/")
    assert asked.status_code == 202, asked.content
    export = asked.json()
    archive_url = f"/api/v1/accounts/me/exports/{export['id']}/archive/"
    assert browser.get(archive_url).json()["errors"][0]["code"] == "not_ready"
    with connection.cursor() as cursor:
        subject = Subject.of(ann.user, sessions=True)
        counts = {}
        for section in sections():
            cursor.execute(
                f"SELECT count(*) FROM {section.table.name} AS t WHERE {section.rows.about}",
                subject.parameters(),
            )
            counts[section.file] = cursor.fetchone()[0]
    queue.work()
    assert browser.get(archive_url.removesuffix("archive/")).json()["status"] == "ready"
    answer = browser.get(archive_url)
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(BytesIO(b"".join(answer)))
    texts = {name: archive.read(name).decode() for name in archive.namelist()}
    everything = "\n".join(texts.values())
    assert bob.word not in everything
    assert "orchid" not in everything
    assert "argon2" not in everything
    for name, text in planted[ann.word].items():
        of_table, of_column = name.split(".")
        declared = next(each for each in tables() if each.name == of_table)
        if text != ann.user.email:
            assert (text in everything) is (of_column in declared.exported), name
    manifest = json.loads(texts["manifest.json"])
    for file in manifest["files"]:
        assert file["rows"] == len(texts[file["name"]].splitlines()), file["name"]
    assert {name: len(texts[name].splitlines()) for name in counts} == counts
    assert len(texts["purchases.ndjson"].splitlines()) == 3
    assert ann.user.email in texts["README.txt"] + texts["email_addresses.ndjson"]
    # Another shop takes the purchases as they are.
    elsewhere = Token.objects.create(User.objects.create(username="o", is_client=True))[1]
    moved = texts["purchases.ndjson"].replace(ann.word, "moved")
    bulk = Client().post(
        "/api/v1/purchases/bulk/", moved, content_type="application/x-ndjson",
        headers={"Authorization": f"Token {elsewhere}"},
    )  # fmt: skip
    assert bulk.json()["recorded"] == 3, bulk.content
    number()

    # The erasure.
    before = _state()
    admin = recent(boss)
    body = {"username": ann.user.username, "reason": f"letter of {ann.word}", "now": True}
    path = f"/api/v1/accounts/{ann.user.userid}/erasure/"
    held = admin.post(path, body, content_type="application/json")
    assert (held.status_code, held.json()["errors"][0]["code"]) == (409, "held")
    hold_release(actor=boss, account=ann.user)
    answer = admin.post(path, body, content_type="application/json")
    assert answer.status_code == 202, answer.content
    assert answer.json()["status"] == "erased"
    erase_due()
    number()
    assert found_in_tables(ann.word) == []
    assert found_in_tables(bob.word)
    left = [path for path in private.rglob("*") if path.is_file()]
    assert [path for path in left if ann.word.encode() in path.read_bytes()] == []
    assert [path for path in left if ann.word in path.name] == []
    assert not list(private.rglob(f"*{export['id']}*"))
    with app.connection_for_read() as broker:
        valkey: Any = cast(Any, broker.default_channel).client
        for key in valkey.scan_iter():
            value = valkey.dump(key) or b""
            assert ann.word.encode() not in key + value, key
    assert ann.word not in caplog.text
    assert _state() == before
    for document, there in ((sales, False), (other, True), (statement, False)):
        document.refresh_from_db()
        assert (document.removed_at is None) is there, document.kind
        assert downloads.store.exists(document.file or "none") is there
    assert not Document.objects.filter(pk=own.pk).exists()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM reports_report WHERE kind NOT IN ('sales')")
        # Nobody has asked for these refunds.
        cursor.execute("DELETE FROM billing_refund")
    said = StringIO()
    with contextlib.suppress(CommandError):
        call_command("verify_ledger", stdout=said)
    assert "BROKEN" not in said.getvalue(), said.getvalue()
    # Their credentials are over.
    assert browser.get("/api/v1/accounts/me/").status_code == 401
    assert _buy(Client(), tokens[ann.word]).status_code == 401
    assert _buy(Client(), tokens[bob.word], item="still here").status_code == 201
    # A till that names the pair learns of it, and nobody takes the names.
    for pair in (names, {"username": names["username"].upper()}, {"userid": names["userid"]}):
        refused = _buy(Client(), till_token, **pair)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (
            409,
            "customer_erased",
        )
    new = {"username": names["username"], "email": "new@example.com", "password": "orchid-lamp-43"}
    taken = Client().post("/api/v1/accounts/", new, content_type="application/json")
    assert taken.json()["errors"][0]["code"] == "taken"
    # A second erasure changes nothing.
    again = admin.post(
        f"/api/v1/accounts/{User.objects.get(pk=ann.user.pk).userid}/erasure/",
        body | {"username": User.objects.get(pk=ann.user.pk).username},
        content_type="application/json",
    )
    assert again.json()["errors"][0]["code"] == "already_erased"
    assert Purchase.objects.filter(customer=ann.user.pk).count() == 3
    assert Purchase.objects.filter(customer=ann.user.pk, price=Decimal("2.50")).count() == 3
