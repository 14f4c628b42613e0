"""Credit notes and voids of issued invoices, from outside."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction

from accounts.models import User
from audit.models import Waiting
from billing.content import content_of
from billing.coupons.models import Coupon
from billing.credits.services import RefundFirst, credit_note_create, invoice_void
from billing.credits.shares import Asked, ExceedsInvoice
from billing.invoices.models import Balance, Claim, Document, Entry, Line
from billing.parties.models import Party
from billing.parties.sealed import opened
from billing.payments.entries import enter
from billing.taxes.models import TaxRate
from billing.tests.conftest import Api, body_of, buy
from billing.tests.ledger import balance_of, sums_of
from shop.core.errors import ApplicationError

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def vat(db: None) -> None:
    TaxRate.objects.create(code="standard", category="S", rate="19", valid_from="2020-01-01")


def invoiced(finance: Api, **given: Any) -> dict[str, Any]:
    """Draft and issue an invoice of what joe bought; return it."""
    draft = finance("POST", "invoices/", {"username": "joe", **given})
    assert draft.status_code == 201, draft.content
    issued: dict[str, Any] = finance("POST", f"invoices/{draft.json()['id']}/issue/").json()
    return issued


def code(response: Any) -> str:
    return str(response.json()["errors"][0]["code"])


def test_pieces_and_amounts_are_credited_from_the_invoice_itself(
    finance: Api, mine: Api, customer: User, vat: None
) -> None:
    buy(customer, "9.99", 3)
    buy(customer, "20.00", item="pen")
    discounts = [{"percent": "10", "reason": "loyal"}]
    invoice = invoiced(finance, discounts=discounts)
    # ERPNext 41893: what is set today is no matter of an invoice of yesterday.
    TaxRate.objects.all().delete()
    path = f"invoices/{invoice['id']}/"
    body = {
        "reason": "broken",
        "lines": [{"position": 1, "quantity": 1}, {"position": 2, "amount": "5.00"}],
    }
    response = finance("POST", f"{path}credit-notes/", body, Idempotency_Key="a")
    assert response.status_code == 201, response.content
    note = response.json()
    assert response["Location"] == f"/api/v1/billing/credit-notes/{note['id']}/"
    assert (note["kind"], note["reason"], note["refunds"]) == ("credit_note", "broken", [])
    assert note["number"] == f"CN-{note['issued_on'][:4]}-000001"
    assert note["corrects"] == {"id": invoice["id"], "number": invoice["number"]}
    first, second = note["lines"]
    assert (first["credits"], first["quantity"], first["gross"]) == (1, 1, "9.99")
    assert (first["discount"], first["tax_rate"]) == ("1.00", "19.00")
    assert (second["credits"], second["quantity"], second["gross"]) == (2, 0, "5.00")
    # 8.99 and 5.00 with 19 % tax included.
    assert (note["net"], note["tax"], note["total"]) == ("11.76", "2.23", "13.99")
    again = finance("POST", f"{path}credit-notes/", body, Idempotency_Key="a")
    assert again.json() == note
    assert again["Idempotent-Replayed"] == "true"
    shown = mine("GET", path).json()
    assert (shown["credited"], shown["due"], shown["status"]) == ("13.99", "30.98", "open")
    assert [line["credited_quantity"] for line in shown["lines"]] == [1, 0]
    assert mine("GET", f"credit-notes/{note['id']}/").json()["total"] == "13.99"
    (entry,) = Waiting.objects.filter(action="creditnote.issued")
    assert entry.object == f"credit_note:{note['id']}"
    # The rest, and the next piece is too much.
    rest = finance(
        "POST",
        f"{path}credit-notes/",
        {
            "reason": "all",
            "lines": [{"position": 2, "quantity": 1}, {"position": 1, "quantity": 2}],
        },
    ).json()
    assert D(rest["total"]) + D("13.99") == D(invoice["total"])
    assert D(rest["tax"]) + D("2.23") == D(invoice["tax"])
    shown = mine("GET", path).json()
    assert (shown["credited"], shown["due"], shown["status"]) == (invoice["total"], "0.00", "paid")
    for line in ({"position": 1, "quantity": 1}, {"position": 2, "amount": "0.01"}):
        more = finance("POST", f"{path}credit-notes/", {"reason": "more", "lines": [line]})
        assert (more.status_code, code(more)) == (409, "exceeds_invoice")
    assert Document.objects.filter(kind="credit_note").count() == 2
    # All pieces are credited, so a void adds no document, and frees the purchases.
    void = finance("POST", f"{path}void/", {"reason": "wrong"})
    assert (void.status_code, void.json()["id"]) == (201, rest["id"])
    assert mine("GET", path).json()["status"] == "void"
    assert not Claim.objects.exists()
    assert Waiting.objects.filter(action="invoice.voided").count() == 1
    again = finance("POST", f"{path}void/", {"reason": "wrong"})
    assert (again.status_code, again.json()["id"]) == (200, rest["id"])
    assert again["Idempotent-Replayed"] == "true"


def test_a_void_takes_the_rest_and_frees_purchases(finance: Api, mine: Api, customer: User) -> None:
    ids = buy(customer, "9.99", 3, count=2)
    invoice = invoiced(finance)
    path = f"invoices/{invoice['id']}/"
    refused = mine("POST", f"{path}void/", {"reason": "no"})
    assert refused.headers["Accepted-Permissions"] == "billing:write_all"
    assert code(finance("POST", "invoices/", {"username": "joe"})) == "nothing_to_invoice"
    lines = [{"position": 2, "quantity": 2}]
    finance("POST", f"{path}credit-notes/", {"reason": "broken", "lines": lines})
    paid = finance(
        "POST",
        f"{path}payments/",
        {"amount": "10.00", "paid_on": "2026-05-01", "reference": "R1"},
    )
    assert paid.status_code == 201, paid.content
    assert code(finance("POST", f"{path}void/", {"reason": "wrong"})) == "refund_first"
    # A refused void changes nothing.
    assert Claim.objects.count() == 2
    everything = {
        "reason": "back",
        "refund": True,
        "lines": [{"position": 1, "quantity": 3}, {"position": 2, "amount": "9.98"}],
    }
    note = finance("POST", f"{path}credit-notes/", everything).json()
    assert note["refunds"] == [
        {
            "id": note["refunds"][0]["id"],
            "payment": paid.json()["id"],
            "amount": "9.99",
            "status": "requested",
        }
    ]
    # One cent is still held.
    assert code(finance("POST", f"{path}void/", {"reason": "wrong"})) == "refund_first"
    last = {
        "reason": "back",
        "refund": True,
        "lines": [{"position": 2, "amount": "0.01"}],
    }
    assert finance("POST", f"{path}credit-notes/", last).json()["refunds"][0]["amount"] == "0.01"
    void = finance("POST", f"{path}void/", {"reason": "wrong"}, Idempotency_Key="v")
    assert void.status_code == 201, void.content
    (entry,) = Waiting.objects.filter(action="invoice.voided")
    assert entry.object == f"invoice:{invoice['id']}"
    assert entry.after is not None
    assert entry.after["credit_note"] == void.json()["id"]
    # A piece was left, and nothing of its price.
    (line,) = void.json()["lines"]
    assert (line["credits"], line["quantity"], line["gross"]) == (2, 1, "9.99")
    assert (void.json()["total"], line["discount"]) == ("0.00", "9.99")
    for key in ("v", "other"):
        again = finance("POST", f"{path}void/", {"reason": "wrong"}, Idempotency_Key=key)
        assert again.json() == void.json()
        assert again["Idempotent-Replayed"] == "true"
    shown = finance("GET", path).json()
    assert (shown["status"], shown["due"], shown["overpaid"]) == ("void", "0.00", "0.00")
    assert [each["credited_quantity"] for each in shown["lines"]] == [3, 3]
    document = Document.objects.get(pk=invoice["id"])
    assert balance_of(document) == sums_of(document)
    second = invoiced(finance)
    assert [each["purchase"] for each in second["lines"]] == [str(each) for each in ids]
    # The void of an old invoice touches no claims of the new one.
    finance("POST", f"{path}void/", {"reason": "wrong"})
    assert Claim.objects.filter(document=second["id"]).count() == 2


def test_a_void_gives_coupons_back_once(finance: Api, customer: User) -> None:
    """lago-api 3729, polar 13394: the slot of a coupon was lost, or came back twice."""
    buy(customer, "10.00")
    Coupon.objects.create(
        code="SPRING", percent=D(50), max_redemptions=1, max_per_customer=1, created_by=customer
    )
    coupons = {"coupons": ["spring"]}
    first = invoiced(finance, **coupons)
    assert first["total"] == "5.00"
    other = finance(
        "POST",
        f"invoices/{first['id']}/credit-notes/",
        {"reason": "back", "lines": [{"position": 1, "quantity": 1}]},
    )
    # A credit note alone gives back neither the coupon nor the purchase.
    assert other.json()["total"] == "5.00"
    assert Coupon.objects.get().redeemed == 1
    for _ in range(2):
        finance("POST", f"invoices/{first['id']}/void/", {"reason": "wrong"})
        assert Coupon.objects.get().redeemed == 0
    second = invoiced(finance, **coupons)
    assert (second["total"], Coupon.objects.get().redeemed) == ("5.00", 1)
    # The void of the first again takes nothing from the second.
    finance("POST", f"invoices/{first['id']}/void/", {"reason": "wrong"})
    assert Coupon.objects.get().redeemed == 1


def test_what_is_not_an_issued_invoice_cannot_be_credited(
    finance: Api, customer: User, issue: Callable[..., Document]
) -> None:
    buy(customer)
    draft = finance("POST", "invoices/", {"username": "joe"}).json()["id"]
    note = credit_note_create(
        actor=finance.user, invoice=issue(), lines=[Asked(1, quantity=1)], reason="broken"
    ).note
    credit = {"reason": "no", "lines": [{"position": 1, "quantity": 1}]}
    for action, body in (("credit-notes", credit), ("void", {"reason": "no"})):
        assert code(finance("POST", f"invoices/{draft}/{action}/", body)) == "not_issued"
        for id in (note.pk, uuid4(), "x"):
            assert finance("POST", f"invoices/{id}/{action}/", body).status_code == 404


@pytest.mark.parametrize(
    ("change", "attr"),
    [
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"lines": []}, "lines"),
        ({"lines": [{"position": 1}]}, "lines"),
        ({"lines": [{"position": 1, "quantity": 1, "amount": "1.00"}]}, "lines"),
        ({"lines": [{"position": 1, "quantity": 0}]}, "lines"),
        ({"lines": [{"position": 1, "quantity": -1}]}, "lines"),
        # hyperswitch 11491: a negative amount passed the check of the rest.
        ({"lines": [{"position": 1, "amount": "-5.00"}]}, "lines"),
        ({"lines": [{"position": 1, "amount": "0.001"}]}, "lines"),
        ({"lines": [{"position": 1, "amount": "NaN"}]}, "lines"),
        ({"lines": [{"position": 9, "quantity": 1}]}, "lines"),
        ({"lines": [{"position": 1, "quantity": 1}, {"position": 1, "quantity": 1}]}, "lines"),
        ({"refund": "maybe"}, "refund"),
    ],
)
def test_a_malformed_credit_is_refused(
    finance: Api, issue: Callable[..., Document], change: dict[str, Any], attr: str
) -> None:
    body = {"reason": "broken", "lines": [{"position": 1, "quantity": 1}], **change}
    response = finance("POST", f"invoices/{issue().pk}/credit-notes/", body)
    assert response.status_code == 400, response.content
    assert response.json()["errors"][0]["attr"].split(".")[0] == attr
    assert not Document.objects.filter(kind="credit_note").exists()


def test_yen_have_no_cents_to_credit(finance: Api, issue: Callable[..., Document]) -> None:
    """Paymenter 1258, gumroad 3749: 100 times too much."""
    yen = body_of("25", "5", currency="JPY", exponent=0)
    line = yen.lines[0]
    fields = {name: getattr(line, name) for name in line.__struct_fields__}
    fields |= {"price": D(10), "gross": D(30), "discount": D(0), "net": D(25)}
    invoice = issue(body_of("25", "5", currency="JPY", exponent=0, lines=[type(line)(**fields)]))
    path = f"invoices/{invoice.pk}/credit-notes/"
    half = {"reason": "less", "lines": [{"position": 1, "amount": "1.50"}]}
    assert code(finance("POST", path, half)) == "max_decimal_places"
    half["lines"] = [{"position": 1, "amount": "2.00"}]
    note = finance("POST", path, half).json()
    assert (note["total"], note["lines"][0]["gross"]) == ("2", "2")


def test_a_note_names_the_buyer_of_the_invoice_even_after_an_erasure(
    finance: Api, issue: Callable[..., Document]
) -> None:
    invoice = issue()

    def credited() -> Document:
        found = Document.objects.get(pk=invoice.pk)
        lines = [Asked(1, quantity=1)]
        return credit_note_create(
            actor=finance.user, invoice=found, lines=lines, reason="broken"
        ).note

    buyer, digest = opened(Party.objects.get(document=credited().pk))
    assert buyer.name == "Joe Doe"
    assert digest != content_of(invoice.canonical).buyer
    Party.objects.all().delete()
    assert opened(Party.objects.get(document=credited().pk))[0].name == "joe"


@pytest.mark.django_db(transaction=True)
def test_credits_voids_and_payments_at_the_same_time(
    finance: Api, issue: Callable[..., Document]
) -> None:
    """Lago validates credit notes without a lock; hyperswitch 13182 gave 120 of 100."""
    invoices = [issue() for _ in range(2)]

    def attempt(number: int) -> str:
        invoice = Document.objects.get(pk=invoices[number % 2].pk)
        try:
            if number in (10, 11):
                with transaction.atomic():
                    enter(invoice.pk, Entry.Kind.PAID, uuid4(), D("1.00"))
                return "paid"
            if number % 5 == 4:
                replayed = invoice_void(actor=finance.user, invoice=invoice, reason="v").replayed
                return "again" if replayed else "void"
            credit_note_create(
                actor=finance.user, invoice=invoice, lines=[Asked(1, quantity=1)], reason="c"
            )
        except (RefundFirst, ExceedsInvoice) as error:
            return error.code
        finally:
            connection.close()
        return "credited"

    with ThreadPoolExecutor(10) as pool:
        counts = Counter(pool.map(attempt, range(40)))
    assert counts["paid"] == 2
    assert set(counts) <= {"paid", "credited", "void", "again", "refund_first", "exceeds_invoice"}
    for invoice in invoices:
        notes = Document.objects.filter(corrects=invoice)
        pieces = sum(Line.objects.filter(document__in=notes).values_list("quantity", flat=True))
        balance = Balance.objects.get(pk=invoice.pk)
        assert pieces <= 3
        assert balance.credited == sum(note.total for note in notes)
        assert (pieces == 3) == (balance.credited == invoice.total)
        assert balance_of(invoice) == sums_of(invoice)
    numbers = Document.objects.filter(kind="credit_note").order_by("number")
    assert [note.number for note in numbers] == list(range(1, len(numbers) + 1))


def test_a_failure_of_issuing_credits_nothing(
    finance: Api, issue: Callable[..., Document], monkeypatch: Any
) -> None:
    """craft commerce 1098: the balance was changed in one step and the note written in another."""
    invoice = issue()

    def fail(**_: Any) -> None:
        raise ApplicationError("away")

    monkeypatch.setattr("billing.credits.services.issue_document", fail)
    with pytest.raises(ApplicationError, match="away"):
        credit_note_create(
            actor=finance.user, invoice=invoice, lines=[Asked(1, quantity=1)], reason="c"
        )
    assert Balance.objects.get(pk=invoice.pk).credited == 0
    assert Entry.objects.filter(document=invoice).count() == 1
