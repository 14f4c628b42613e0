"""Checks by strangers, auditors and ``verify_billing``."""

import json
import runpy
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.models import User
from billing.credits.services import credit_note_create
from billing.credits.shares import Asked
from billing.invoices.models import Document, Series
from billing.invoices.restoring import generations_open
from billing.tests.conftest import Api, Issue, buy
from personal.journal import journal_files, journal_read
from tests.system import ROOT

pytestmark = pytest.mark.django_db
faults = runpy.run_path(str(ROOT / "examples" / "verify_invoices.py"))["faults"]


def _issued(finance: Api, name: str = "joe") -> Any:
    draft = finance("POST", "invoices/", {"username": name}).json()
    return finance("POST", f"invoices/{draft['id']}/issue/").json()


def test_a_stranger_checks_a_document(finance: Api, customer: User) -> None:
    buy(customer)
    invoice = _issued(finance)
    buy(customer)
    head = _issued(finance)["hash"]
    stranger = Api(customer)
    stranger.client.defaults.pop("HTTP_AUTHORIZATION", None)
    for number in (invoice["number"], invoice["number"].lower()):
        answer = stranger("GET", f"verify/?number={number}&hash={invoice['hash']}")
        assert answer.json() == {
            "valid": True,
            "issued_on": invoice["issued_on"],
            "series": {"code": invoice["number"][:8], "count": 2, "head": head},
        }
    nothing = {"valid": False, "issued_on": None, "series": None}
    for number, digest in (
        (invoice["number"], head),
        ("INV-2026-999999", invoice["hash"]),
        ("x y", "zz"),
        ("", ""),
    ):
        answer = stranger("GET", f"verify/?number={number}&hash={digest}")
        assert (answer.status_code, answer.json()) == (200, nothing)


def test_the_chain_is_checked_without_us(finance: Api, customer: User) -> None:
    for _ in range(3):
        buy(customer)
        invoice = _issued(finance)
    code = invoice["number"][:8]
    path = f"series/{code}/chain/"
    links = finance("GET", path).json()
    assert [link["sequence"] for link in links] == [1, 2, 3]
    assert links[0]["previous"] == "sha256:" + "0" * 64
    assert links[1]["previous"] == links[0]["hash"]
    assert finance("GET", f"{path}?after={links[0]['number']}").json() == links[1:]
    assert finance("GET", f"{path}?after=2").json() == links[2:]
    assert finance("GET", f"{path}?after=x").status_code == 400
    assert finance("GET", "series/INV-1999/chain/").status_code == 404
    whole = finance("GET", f"{path}?contents=true").json()
    assert list(faults(code, whole)) == []
    changed = json.loads(json.dumps(whole))
    changed[1]["canonical"] = changed[1]["canonical"].replace("9.99", "8.99")
    assert list(faults(code, changed)) == [f"{links[1]['number']} was changed"]
    assert len(list(faults(code, [whole[0], whole[2]]))) == 2


def _broken() -> list[str]:
    output = StringIO()
    with suppress(CommandError):
        call_command("verify_billing", stdout=output)
    return [line for line in output.getvalue().splitlines() if line.startswith("BROKEN")]


@contextmanager
def _unguarded(*statements: str) -> Iterator[None]:
    """Change what nobody may change, and take it back."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = 'replica'")
        for statement in statements:
            cursor.execute(statement)
        yield
        transaction.set_rollback(True)


@pytest.fixture
def books(finance: Api, customer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    buy(customer, "10.00", 3)
    _issued(finance)
    buy(customer, "5.00")
    invoice = Document.objects.get(pk=_issued(finance)["id"])
    credit_note_create(
        actor=finance.user, invoice=invoice, lines=[Asked(1, quantity=1)], reason="broken"
    )
    # The command's own transaction is a part of the test's.
    monkeypatch.setattr("shop.core.verifying.ISOLATION", "SET LOCAL work_mem = '4MB'")


_FIRST = "(SELECT id FROM billing_document WHERE kind = 'invoice' AND number = 1)"
_OF_FIRST = f"WHERE document_id = {_FIRST}"


@pytest.mark.parametrize(
    ("found", "statements"),
    [
        ("", []),
        ("numbers", ["UPDATE billing_series SET next_number = 9"]),
        ("rows say", [f"UPDATE billing_document SET due_on = '2020-01-01' WHERE id = {_FIRST}"]),
        *(
            ("rows say", [f"UPDATE billing_line SET {change} WHERE credits_id IS NOT NULL"])
            for change in ("text = 'x'", "price = 9", "tax_category = 'Z'", "credits_id = NULL")
        ),
        ("rows say", [f"UPDATE billing_tax SET rate = 19 {_OF_FIRST}"]),
        ("rows say", ["UPDATE billing_document SET prices_include_tax = NOT prices_include_tax"]),
        ("lines and taxes", [f"UPDATE billing_tax SET tax = 1 {_OF_FIRST}"]),
        ("its rates", [f"UPDATE billing_tax SET rate = 19 {_OF_FIRST}"]),
        ("quantity times", [f"UPDATE billing_line SET price = 1 {_OF_FIRST}"]),
        ("have their purchases", ["DELETE FROM billing_claim"]),
        ("in the ledger", ["UPDATE purchases_purchase SET item = 'pen'"]),
        (
            "never credit more",
            ["UPDATE billing_line SET quantity = 2 WHERE credits_id IS NOT NULL"],
        ),
        ("sum of its credit notes", ["UPDATE billing_balance SET credited = 0"]),
        (
            "sum of the entries",
            [f"UPDATE billing_balance SET paid = 1 {_OF_FIRST}"],
        ),
        ("every status", ["UPDATE billing_balance SET status = 'partially_paid'"]),
        ("no day goes back", ["UPDATE billing_document SET issued_on = issued_on - number"]),
        ("last document", ["UPDATE billing_series SET last_issued_on = '2020-01-01'"]),
        ("buyer", [f"UPDATE billing_party SET account_id = 0 {_OF_FIRST}"]),
        ("unchanged", ["ALTER TABLE billing_entry DISABLE TRIGGER USER"]),
    ],
)
@pytest.mark.usefixtures("books")
def test_every_fault_is_found(found: str, statements: list[str]) -> None:
    with _unguarded(*statements):
        broken = _broken()
    assert bool(broken) == bool(statements), broken
    assert any(found.lower() in line.lower() for line in broken) or not found, broken


def test_after_a_restore_no_number_is_given_out_again(
    issue: Issue, tmp_path: Path, settings: Any
) -> None:
    settings.JOURNAL_DIR = tmp_path
    year = issue().issued_on.year

    def entries() -> Any:
        return list(journal_read(StringIO(path.read_text()) for path in journal_files()))

    said = generations_open(entries())
    assert said == f"Documents go on in CN-{year}-R1, INV-{year}-R1."
    assert issue().label == f"INV-{year}-R1-000001"
    # The same backup again, which knows nothing of the generation before.
    with transaction.atomic():
        savepoint = transaction.savepoint()
        Series.objects.filter(kind="credit_note").delete()
        assert generations_open(entries()).startswith(f"Documents go on in CN-{year}-R2, ")
        transaction.savepoint_rollback(savepoint)
    assert generations_open([]) == f"Documents go on in CN-{year}-R2, INV-{year}-R2."
