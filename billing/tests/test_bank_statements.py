"""Bank statements: what is booked, once, what waits for somebody, and files that lie."""

import io
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts.access import Caller
from accounts.models import User
from audit.models import Waiting
from billing.invoices.models import Balance, Document
from billing.metrics import collect_billing
from billing.pages.attention import find_attention
from billing.payments.bank_statements.camt import read_camt
from billing.payments.bank_statements.importing import credits_purge
from billing.payments.bank_statements.models import BankCredit
from billing.payments.models import Payment
from billing.reference import reference_of
from billing.runs.models import Run
from billing.tests.conftest import Api, make
from billing.tests.ledger import broken, make_invoice

pytestmark = pytest.mark.django_db
TODAY = timezone.localdate().isoformat()
IBAN = "DE89370400440532013000"


def camt(entries: str, *, version: str = "02", opening: str = "100.00", closing: str = "") -> bytes:
    """Return a file of camt.053 with one statement in euros."""
    balances = f"""<Bal><Tp><CdOrPrtry><Cd>PRCD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{opening}</Amt>
      <CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{TODAY}</Dt></Dt></Bal>"""
    if closing:
        balances += f"""<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp>
          <Amt Ccy="EUR">{closing}</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>"""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt>
  <GrpHdr><MsgId>27-1</MsgId></GrpHdr>
  <Stmt><Id>1</Id><Acct><Id><IBAN>{IBAN}</IBAN></Id><Ccy>EUR</Ccy></Acct>{balances}{entries}</Stmt>
</BkToCstmrStmt></Document>""".encode()


def old(amount: str, text: str, reference: str = "", *, sign: str = "CRDT", more: str = "") -> str:
    """Return an entry as a bank with version 02 writes it."""
    return f"""<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>{more}
      <Sts>BOOK</Sts><BookgDt><Dt>{TODAY}</Dt></BookgDt><ValDt><Dt>{TODAY}</Dt></ValDt>
      <AcctSvcrRef>{reference}</AcctSvcrRef><NtryDtls><TxDtls><Refs><EndToEndId>NOTPROVIDED
      </EndToEndId></Refs><RltdPties><Dbtr><Nm>Joe Doe</Nm></Dbtr></RltdPties>
      <RmtInf>{"".join(f"<Ustrd>{each}</Ustrd>" for each in text.split("|"))}</RmtInf>
      </TxDtls></NtryDtls></Ntry>"""


def new(amount: str, parts: list[tuple[str, str]], reference: str) -> str:
    """Return an entry as a bank with version 08 writes it: parts with structured references."""
    details = "".join(
        f"""<TxDtls><Refs><AcctSvcrRef>{reference}</AcctSvcrRef></Refs>
          <Amt Ccy="EUR">{part}</Amt><CdtDbtInd>CRDT</CdtDbtInd>
          <RltdPties><Dbtr><Pty><Nm>Ann</Nm></Pty></Dbtr></RltdPties><RmtInf><Strd><CdtrRefInf>
          <Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp><Ref>{ref}</Ref></CdtrRefInf></Strd></RmtInf>
          </TxDtls>"""
        for part, ref in parts
    )
    return f"""<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd>
      <Sts><Cd>BOOK</Cd></Sts><BookgDt><DtTm>{TODAY}T01:02:03</DtTm></BookgDt>
      <AcctSvcrRef>{reference}</AcctSvcrRef><NtryDtls>{details}</NtryDtls></Ntry>"""


def send(finance: Api, data: bytes, *, dry_run: bool = False, type: str = "application/xml") -> Any:
    """Import a statement by the API; return the answer."""
    client = Client(headers={"Authorization": f"Token {token_of(finance.user)}"})
    query = "?dry_run=true" if dry_run else ""
    return client.post(f"/api/v1/billing/bank-statements/{query}", data, content_type=type)


def token_of(user: User) -> str:
    from accounts.models import Token

    return Token.objects.create(user=user)[1]


def paid(invoice: Document) -> tuple[Decimal, str]:
    """Return what was paid of an invoice, and its status."""
    balance = Balance.objects.get(pk=invoice.pk)
    return balance.paid, balance.status


def test_what_banks_say_is_booked_once(customer: User, finance: Api) -> None:
    by_reference, by_number, in_parts, batched, twice = (
        make_invoice(customer, "10.00") for _ in range(5)
    )
    rf = reference_of(by_reference.label)
    first = camt(
        # Banks cut the text anywhere, and put references in groups.
        old("10.00", f"{rf[:4]} {rf[4:8]} {rf[8:]}|THANKS", "A1")
        + old("10.00", f"Invoice {by_number.label} of May", "A2")
        + old("4.00", reference_of(in_parts.label), "A3")
        + old("4.00", reference_of(in_parts.label), "A4")
        + old("55.00", "office rent", "A5", sign="DBIT")
        + old("1.00", "debit taken back", "A6", more="<RvslInd>true</RvslInd>"),
        closing="74.00",
    )
    second = camt(
        new(
            "15.00",
            [("10.00", reference_of(batched.label)), ("5.00", reference_of(twice.label))],
            "B1",
        ),
        version="08",
    )
    for data, counts in ((first, (4, 1, 1)), (second, (2, 0, 0))):
        shown = send(finance, data, dry_run=True).json()
        assert (shown["booked"], shown["debits"], shown["others"]) == counts, shown
        assert not BankCredit.objects.filter(bank_reference__startswith="B").exists()
        done = send(finance, data).json()
        assert done["booked"] == counts[0]
        assert [each["number"] for each in done["credits"]] == [
            each["number"] for each in shown["credits"]
        ]
        # The same statement again, alone or with more.
        again = send(finance, data).json()
        assert (again["booked"], again["known"]) == (0, counts[0])
    assert [paid(each) for each in (by_reference, by_number, batched)] == [
        (Decimal(10), "paid")
    ] * 3
    assert paid(in_parts) == (Decimal(8), "partially_paid")
    assert paid(twice) == (Decimal(5), "partially_paid")
    # Nobody's name or words stay where the payment says whose money it is.
    assert {*BankCredit.objects.values_list("payer", "text", "reference")} == {("", "", "")}
    assert Payment.objects.filter(status="succeeded").count() == 6
    assert Waiting.objects.filter(action="bankstatement.imported").count() == 2
    assert Waiting.objects.filter(action="bankcredit.booked").count() == 6
    assert broken() == []


def test_what_was_booked_by_hand_is_the_same_money(customer: User, finance: Api) -> None:
    invoice = make_invoice(customer, "10.00")
    body = {"amount": "10.00", "paid_on": TODAY, "reference": "seen at the bank"}
    assert finance("POST", f"invoices/{invoice.pk}/payments/", body).status_code == 201
    done = send(finance, camt(old("10.00", reference_of(invoice.label), "A1"))).json()
    assert (done["booked"], paid(invoice)) == (1, (Decimal(10), "paid"))
    # A second transfer of the same amount is other money.
    done = send(finance, camt(old("10.00", reference_of(invoice.label), "A2"))).json()
    assert (done["booked"], paid(invoice)[0]) == (1, Decimal(20))


def test_what_is_not_known_waits_for_somebody(customer: User, finance: Api) -> None:
    invoice, other, dollars = (
        make_invoice(customer, "10.00"),
        make_invoice(customer, "10.00"),
        make_invoice(customer, "10.00", currency="USD"),
    )
    wrong = reference_of(invoice.label)
    wrong = wrong[:2] + f"{(int(wrong[2:4]) + 1) % 100:02}" + wrong[4:]
    data = camt(
        old("9.99", f"for {invoice.label}", "A1")
        + old("10.00", "for the books", "A2")
        + old("10.00", "INV-1999-000001", "A3")
        + old("10.00", f"{invoice.label} {other.label}", "A4")
        + old("10.00", reference_of(dollars.label), "A5")
        + old("10.00", wrong, "A6")
        # Without a reference of the bank the facts are the identity, and equal lines are counted.
        + old("2.00", "no reference", "NONREF")
        + old("2.00", "no reference", "NONREF")
    )
    done = send(finance, data).json()
    assert (done["booked"], done["waiting"]) == (0, 8)
    why = [each["why"] for each in done["credits"]]
    assert why[:5] == [
        "other_amount",
        "no_reference",
        "unknown_invoice",
        "several_invoices",
        "other_currency",
    ]
    assert {*why[5:]} == {"no_reference"}
    assert send(finance, data).json()["known"] == 8
    waiting = finance("GET", "bank-credits/?status=waiting").json()["results"]
    assert [each["payer"] for each in waiting] == ["Joe Doe"] * 8
    first, second, fifth = waiting[-1], waiting[-2], waiting[-5]
    path = f"bank-credits/{first['id']}/assign/"
    assert finance("POST", path, {"invoice": "INV-1999-000001"}).status_code == 400
    answer = finance("POST", path, {"invoice": invoice.label})
    assert (answer.status_code, answer.json()["number"]) == (200, invoice.label)
    assert paid(invoice) == (Decimal("9.99"), "partially_paid")
    again = finance("POST", path, {"invoice": str(invoice.pk)})
    assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")
    for where, body, code in (
        (path, {"invoice": other.label}, "credit_booked"),
        (f"bank-credits/{first['id']}/set-aside/", {"reason": "x"}, "credit_booked"),
        (f"bank-credits/{fifth['id']}/assign/", {"invoice": dollars.label}, "other_currency"),
    ):
        answer = finance("POST", where, body)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, code)
    aside = finance("POST", f"bank-credits/{second['id']}/set-aside/", {"reason": "interest"})
    assert (aside.json()["status"], aside.json()["reason"]) == ("set_aside", "interest")
    # What was set aside can still turn out to be for an invoice.
    late = finance("POST", f"bank-credits/{second['id']}/assign/", {"invoice": other.label})
    assert (late.json()["status"], paid(other)[1]) == ("booked", "paid")
    # Who paid is not kept for long, and what was forgotten is still known when it comes again.
    assert credits_purge() == 0
    BankCredit.objects.filter(pk=fifth["id"]).update(booked_on="2020-01-31")
    assert (credits_purge(), credits_purge()) == (1, 0)
    forgotten = finance("GET", f"bank-credits/{fifth['id']}/").json()
    assert (forgotten["payer"], forgotten["text"], forgotten["why"]) == ("", "", "other_currency")
    assert send(finance, data).json()["known"] == 8
    assert broken() == []


def test_csv_in_the_ways_of_banks(customer: User, finance: Api) -> None:
    invoice = make_invoice(customer, "1234.50")
    data = (
        "﻿Account;Booked_on;Amount;Currency;Text;Payer\r\n"
        f'{IBAN};{TODAY};1234,50;EUR;"Invoice {invoice.label}; thanks";Joe\r\n'
        f"{IBAN};{TODAY};-5,00;EUR;fee;\r\n"
    ).encode()
    done = send(finance, data, type="text/csv").json()
    assert (done["booked"], done["debits"], paid(invoice)[1]) == (1, 1, "paid")


def test_files_that_lie_book_nothing(customer: User, finance: Api) -> None:
    good = old("10.00", reference_of(make_invoice(customer, "10.00").label), "A1")
    head = camt("").decode().partition("<Document")[0]
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    bomb = (
        f'{head}<!DOCTYPE d [<!ENTITY a0 "ha">{laughs}]>'
        + camt(good.replace("Joe Doe", "&a9;")).decode().partition("?>")[2]
    )
    reader = bomb.replace('<!ENTITY a0 "ha">', '<!ENTITY a0 SYSTEM "file:///etc/passwd">')
    for data, code, status in (
        (bomb.encode(), "statement_not_readable", 400),
        (reader.encode(), "statement_not_readable", 400),
        (bomb.replace("UTF-8", "UTF-16").encode("utf-16"), "statement_not_readable", 400),
        (camt(good, closing="110.01"), "wrong_sums", 400),
        (camt(new("15.00", [("10.00", "R"), ("4.00", "S")], "B1")), "wrong_sums", 400),
        (camt(good)[:-20], "statement_not_readable", 400),
        (camt(good).replace(b"camt.053", b"pain.001"), "statement_not_readable", 400),
        (camt(good.replace("10.00", "-10.00")), "statement_not_readable", 400),
        (camt(good.replace("10.00", "1e3")), "statement_not_readable", 400),
        (camt(good.replace("10.00", "10.001")), "statement_not_readable", 400),
        (camt(good.replace("EUR", "USD")), "statement_not_readable", 400),
        (camt(good.replace(TODAY, "2999-01-01")), "statement_not_readable", 400),
        (camt(good.replace("CRDT", "MAYBE")), "statement_not_readable", 400),
        (b"", "statement_not_readable", 400),
        (b"\xff\xfe\x00", "statement_not_readable", 400),
        (b"hello\nworld", "statement_not_readable", 400),
        (b"account,booked_on,amount,currency\n" + b"a,b\n", "statement_not_readable", 400),
        (f"account,booked_on,amount,currency\nD,{TODAY},nan,EUR".encode(), "", 400),
        (
            b"account,booked_on,amount,currency\n" + f"D,{TODAY},1,EUR\n".encode() * 1001,
            "too_many_lines",
            413,
        ),
        # An entry that is not booked yet counts for nothing.
        (camt("<Ntry/>" + good), "", 200),
    ):
        for dry_run in (True, False):
            answer = send(finance, data, dry_run=dry_run)
            assert answer.status_code == status, (data[:600], answer.content)
            if code:
                assert answer.json()["errors"][0]["code"] == code, data[:600]
        if status != 200:
            assert not BankCredit.objects.exists()
    assert paid_of_all() == Decimal(10)


def paid_of_all() -> Decimal:
    return sum((each.paid for each in Balance.objects.all()), Decimal(0))


def test_what_waits_is_counted(customer: User, finance: Api) -> None:
    send(finance, camt(old("3.00", "a gift", "A1")))
    for hours in (0, 2):
        run = Run.objects.create(requested_by=finance.user, until="2024-05-01")
        Run.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(hours=hours))
    waits = {each.url: each.count for each in find_attention(Caller.of(finance.user))}
    assert (waits["/billing/manage/payments/bank/"], waits["/billing/manage/runs/"]) == (1, 1)
    found = {
        (family.name, sample.labels["what"]): sample.value
        for family in collect_billing()
        for sample in family.samples
    }
    assert found["shop_billing_waiting", "runs"] == 2
    assert found["shop_billing_waiting_seconds", "runs"] > 7000
    assert found["shop_billing_waiting", "bank_credits"] == 1
    assert found["shop_billing_waiting", "refunds_unknown"] == 0


def test_the_command_and_the_page(customer: User, finance: Api, tmp_path: Path) -> None:
    invoice, second = make_invoice(customer, "10.00"), make_invoice(customer, "7.00")
    file = tmp_path / "statement.xml"
    file.write_bytes(b"\n" + camt(old("10.00", reference_of(invoice.label), "A1")))
    said = io.StringIO()
    for dry_run, was in ((True, "open"), (False, "paid"), (False, "paid")):
        options: dict[str, Any] = {"username": finance.user.username, "dry_run": dry_run}
        call_command("import_bank_statement", file, stdout=said, **options)
        assert paid(invoice)[1] == was
    assert "1 lines: 1 would be booked, 0 wait, 0 known, 0 debits, 0 others" in said.getvalue()
    assert said.getvalue().endswith("0 booked, 0 wait, 1 known, 0 debits, 0 others\n")
    with pytest.raises(CommandError, match="may book"):
        call_command("import_bank_statement", file, username=customer.username)
    browser = Client()
    browser.force_login(finance.user)
    page = "/billing/manage/payments/bank/"
    data = camt(old("7.00", reference_of(second.label), "A2") + old("3.00", "a gift", "A3"))
    shown = browser.post(
        page, {"action": "preview", "file": io.BytesIO(data)}, headers={"Accept-Language": "en"}
    )
    text = shown.content.decode()
    assert "1 payment is matched. 1 is to be assigned by hand." in text
    assert paid(second)[1] == "open"
    content = text.partition('name="content" value="')[2].partition('"')[0]
    assert browser.post(page, {"action": "import", "content": content}).status_code == 302
    assert paid(second)[1] == "paid"
    waiting = BankCredit.objects.get(status="waiting")
    assert "a gift" in browser.get(page).content.decode()
    bad = browser.post(page, {"action": "assign", "credit": waiting.pk, "invoice": "nothing"})
    assert bad.status_code == 400
    good = {"action": "assign", "credit": waiting.pk, "invoice": second.label}
    assert browser.post(page, good).status_code == 302
    assert paid(second)[0] == Decimal(10)
    assert "To be assigned" in browser.get(f"{page}?status=booked").content.decode()
    reader = Client()
    reader.force_login(make("sue", "support"))
    assert reader.get(page).status_code == 200
    assert "Import a statement" not in reader.get(page).content.decode()
    assert reader.post(page, {"action": "import", "content": content}).status_code == 403


def test_an_entry_of_many_parts_costs_what_its_length_is() -> None:
    """Looking through all of it for each part would take minutes."""
    parts = '<TxDtls><Amt Ccy="EUR">1.00</Amt></TxDtls>' * 30_000
    text = (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt><Stmt>'
        '<Acct><Id><IBAN>DE1</IBAN></Id></Acct><Ntry><Amt Ccy="EUR">30000.00</Amt>'
        "<CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts><BookgDt><Dt>2026-01-01</Dt></BookgDt>"
        f"{'<a/>' * 300_000}<NtryDtls>{parts}</NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>"
    )
    assert len([*read_camt(io.BytesIO(text.encode()))]) == 30_000
