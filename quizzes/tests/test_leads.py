"""Leads through the API: an address, its confirmation, what a company sees, and the erasure."""

import csv
import io
import json
import re
import zipfile
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone
from pypdf import PdfReader

from accounts.models import User
from audit.models import Waiting
from billing.coupons.models import Coupon
from documents import queue
from documents.models import Document
from documents.storage import store
from documents.upkeep import documents_sweep
from events.models import Outbox
from personal.archive import archive_write
from personal.erasing import erase
from personal.models import Erasure
from quizzes.answering.models import Attempt, Result
from quizzes.authoring.models import QuestionKey
from quizzes.companies.models import Company
from quizzes.funnel.models import Grant
from quizzes.leads.models import Consent, Lead, LeadMail, LeadResult, MailToken
from quizzes.leads.services import consent_digest
from quizzes.leads.upkeep import leads_purge
from quizzes.tests.answering import ANSWERS, Device, coffee, publish, texts
from shop.core.site_settings.logo import address_of

pytestmark = pytest.mark.django_db

WROTE = "quagga"
"""In whatever the respondent typed."""
PICTURE = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
LEADS = "/api/v1/companies/roasters/leads/"


def gated(**more: Any) -> dict[str, Any]:
    settings = {"headline": "outcome", "contact": "before_result"}
    contact = {"name": "optional", "consents": [{"key": "marketing", "text": texts("Write to me")}]}
    return coffee(settings=settings, contact=contact, **more)


@pytest.fixture
def owner(db: Any) -> Client:
    client = Client()
    client.force_login(User.objects.create(username="boss", is_superuser=True, is_staff=True))
    return client


def finished(**answers: Any) -> Device:
    device = Device()
    assert device.save({**ANSWERS, "capital": WROTE, **answers}).status_code == 201
    assert device.finish({**ANSWERS, "capital": WROTE, **answers}).status_code == 201
    return device


def give(device: Device, email: str = f"{WROTE}@example.com", **more: Any) -> Any:
    text = consent_digest("Write to me")
    body = {
        "email": email,
        "name": f"Mx {WROTE}",
        "consents": {"marketing": True},
        "texts": {"marketing": text},
        **more,
    }
    return device.send("POST", "contact/", body)


def token_in(message: Any, page: str) -> str:
    (found,) = re.findall(rf"/q/{page}/\?quiz=coffee&lang=\w+#(\S+)", message.body)
    return str(found)


def click(action: str, token: str) -> Any:
    return Client().post(f"/api/v1/q/{action}/", {"token": token}, "application/json")


def counts() -> list[int]:
    models = (Outbox, Document, LeadMail, Consent, MailToken)
    return [model.objects.count() for model in models]


def types() -> list[int]:
    return [event.type for event in Outbox.objects.order_by("pk") if event.type >= 42]


def confirmed() -> tuple[Device, Any]:
    """Return the device of a confirmed lead, and the mail with its result."""
    device = finished()
    assert give(device).status_code == 202
    queue.work()
    assert click("confirm", token_in(mail.outbox[-1], "confirm")).status_code == 200
    queue.work()
    return device, mail.outbox[-1]


def test_from_an_address_to_the_result_in_the_mail() -> None:
    quiz = publish(gated(languages=["en", "de"]))
    brand = {"imprint_url": "https://example.com/imprint", "logo": address_of(PICTURE)}
    Company.objects.filter(pk=quiz.company_id).update(brand=brand)
    device = finished()
    assert device.get("result/").json()["errors"][0]["code"] == "contact_required"
    assert device.get("result.pdf").status_code == 403
    given = give(device)
    assert (given.status_code, given.json()) == (202, {"sent_to": "q…@example.com"})
    # The lead's row tells nothing, and a second request sends no second mail.
    lead = Lead.objects.get()
    assert WROTE.encode() not in bytes(lead.email or b"")
    assert give(device).json() == given.json()
    queue.work()
    (asked,) = mail.outbox
    assert asked.to == [f"{WROTE}@example.com"]
    assert asked.from_email.startswith("Roasters <")
    # Nothing that was typed goes to an address that nobody has confirmed.
    assert WROTE not in f"{asked.subject}{asked.body}"
    assert not asked.attachments
    assert WROTE not in asked.body
    assert "Coffee" in asked.subject
    assert Consent.objects.get().holds is False
    token = token_in(asked, "confirm")
    assert click("confirm", token).json() == {
        "state": "confirmed",
        "quiz": "coffee",
        "language": "en",
    }
    assert click("confirm", token).status_code == 200
    queue.work()
    _, result = mail.outbox
    ((name, pdf, media),) = result.attachments
    assert (name, media) == ("coffee-result.pdf", "application/pdf")
    page = " ".join(PdfReader(io.BytesIO(pdf)).pages[0].extract_text().split())
    # The name is known now, and the respondent's text is text, not markup.
    assert f"Mx {WROTE}" in page
    assert "Espresso zebra" in page
    assert "Roasters" in page
    consent = Consent.objects.select_related("text").get()
    assert consent.holds
    assert consent.text.text == "Write to me"
    assert types() == [42, 43]
    assert device.get("result/").json()["headline"]["title"] == "Espresso zebra"
    # The respondent's own PDF is rendered when it is asked for.
    assert device.get("result.pdf").json()["errors"][0]["code"] == "not_ready"
    queue.work()
    answer = device.get("result.pdf")
    assert b"".join(answer.streaming_content).startswith(b"%PDF")
    assert len(mail.outbox) == 2
    again = token_in(result, "result")
    assert click("again", again).json()["state"] == "limited"
    LeadMail.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert click("again", again).json()["state"] == "sent"
    queue.work()
    assert len(mail.outbox) == 3


def test_a_mail_whose_worker_died_is_told_as_unknown_and_never_sent_again(owner: Client) -> None:
    publish(gated())
    device = finished()
    give(device)
    lead = Lead.objects.get()
    place = f"{LEADS}{lead.pk}/"

    def told() -> list[str]:
        return [f"{each['kind']} {each['state']}" for each in owner.get(place).json()["mails"]]

    assert told() == ["confirm waiting"]
    queue.work()
    assert click("confirm", token_in(mail.outbox[-1], "confirm")).status_code == 200
    assert told() == ["result waiting", "confirm sent"]
    # A worker that dies while it sends leaves this; the sweep finds it.
    paper = Document.objects.get(kind="quiz_mail")
    long_ago = timezone.now() - timedelta(days=1)
    Document.objects.filter(pk=paper.pk).update(
        status=Document.Status.SENDING, claim=uuid4(), claimed_at=long_ago
    )
    for _ in range(2):
        documents_sweep()
        queue.work()
    assert told() == ["result unknown", "confirm sent"]
    page = owner.get(f"/quizzes/leads/roasters/{lead.pk}/").text
    assert "Outcome unknown" in page
    assert "nobody knows" in page
    assert len(mail.outbox) == 1
    # One that died before, while it rendered, costs nothing: the mail comes, once.
    Document.objects.filter(pk=paper.pk).update(
        status=Document.Status.RENDERING, claim=uuid4(), claimed_at=long_ago
    )
    for _ in range(2):
        documents_sweep()
        queue.work()
    assert told() == ["result sent", "confirm sent"]
    assert len(mail.outbox) == 2


def test_what_is_refused_and_what_is_only_pretended() -> None:
    publish(gated())
    device = Device()
    device.save()
    assert give(device).json()["errors"][0]["code"] == "not_finished"
    device.finish()
    faults: list[tuple[dict[str, Any], int, str, str]] = [
        ({"email": "nobody"}, 400, "invalid", "email"),
        ({"email": "a@b.localhost"}, 400, "invalid", "email"),
        ({"name": "a\nb"}, 400, "invalid", "name"),
        ({"consents": {"other": True}}, 400, "unknown", "consents.other"),
        ({"texts": {"marketing": "0" * 64}}, 409, "consent_changed", "texts"),
        ({"texts": {}}, 409, "consent_changed", "texts"),
        ({"points": 9}, 400, "unknown_field", "points"),
    ]
    for body, status, code, attr in faults:
        answer = give(device, **body)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"], error["attr"]) == (status, code, attr), body
    trapped = give(device, website="https://example.com")
    assert (trapped.status_code, trapped.json()) == (202, {"sent_to": "q…@example.com"})
    assert not Lead.objects.exists()
    assert not Document.objects.exists()
    stranger = Device()
    stranger.id = device.id
    assert give(stranger).status_code == 404
    publish(coffee(), slug="free")
    free = Device(slug="free")
    free.save()
    free.finish()
    assert give(free, name="").json()["errors"][0]["code"] == "no_contact"


def test_how_many_mails_an_address_gets() -> None:
    for slug in ("coffee", "two", "three", "four"):
        publish(gated(), slug=slug)
        for _ in range(2):
            device = Device(slug=slug)
            device.save()
            device.finish()
            # Its case is not another address.
            assert give(device, f"{WROTE.title()}@Example.com").status_code == 202
    assert Lead.objects.count() == 1
    assert LeadResult.objects.count() == 8
    assert Document.objects.count() == 3
    # Until it is confirmed, another address may take its place, and the first link ends.
    give(device, "other@example.com")
    queue.work()
    assert LeadResult.objects.filter(pk=device.id, lead__state="new").count() == 1
    assert [message.to for message in mail.outbox][-1] == ["other@example.com"]


def test_only_what_was_ticked_last_is_confirmed() -> None:
    publish(gated())
    for ticks, holds in (([True, False], []), ([True, False, True], ["marketing"])):
        device = finished()
        for tick in ticks:
            give(device, f"{len(ticks)}@example.com", consents={"marketing": tick})
        queue.work()
        click("confirm", token_in(mail.outbox[-2 if len(mail.outbox) > 2 else -1], "confirm"))
        kept = Consent.objects.filter(result=device.id)
        assert [one.purpose for one in kept if one.holds] == holds


def test_links_change_nothing_until_somebody_clicks() -> None:
    publish(gated(), per_address="one")
    _device, message = confirmed()
    before = counts()
    confirm = token_in(mail.outbox[0], "confirm")
    again, leave = token_in(message, "result"), token_in(message, "leave")
    for action in ("confirm", "withdraw", "erase", "again"):
        for method in ("get", "head"):
            path = f"/api/v1/q/{action}/?token={leave}"
            assert getattr(Client(), method)(path).status_code == 405
        # A token is for its purpose only, and every other gets one answer.
        wrong = [click(action, token) for token in ("", "x", leave[:-1])]
        assert [answer.status_code for answer in wrong] == [400, 404, 404]
        assert len({answer.content for answer in wrong[1:]}) == 1
    assert click("erase", confirm).status_code == click("confirm", leave).status_code == 404
    assert counts() == before
    # The quiz gives one result to an address; who comes back gets it again, by mail. On the
    # device it is as with any address, or everybody could ask who has answered the quiz.
    other = finished()
    assert give(other).status_code == 202
    assert other.get("result/").status_code == 200
    assert LeadResult.objects.filter(confirmed_at=None).count() == 1
    assert [one.kind for one in LeadMail.objects.order_by("pk")] == ["quiz_confirm", "quiz_mail"]
    assert [click("withdraw", leave).status_code for _ in range(2)] == [200, 200]
    assert Lead.objects.get().state == "withdrawn"
    assert not any(one.holds for one in Consent.objects.all())
    assert click("confirm", confirm).status_code == 200
    assert Lead.objects.get().state == "withdrawn"
    MailToken.objects.filter(purpose="result").update(expires_at=timezone.now())
    assert click("again", again).content == click("again", "x").content
    assert types() == [42, 43, 44]


def test_an_erasure_leaves_figures_only(
    owner: Client, caplog: Any, django_capture_on_commit_callbacks: Any
) -> None:
    publish(gated())
    device, message = confirmed()
    device.get("result.pdf")
    queue.work()
    lead = Lead.objects.get()
    figures = list(Result.objects.values_list("points", "answers", "path", "outcome"))
    files = [one.file for one in Document.objects.exclude(file="")]
    assert len(files) == 2
    one = f"{LEADS}{lead.pk}/"
    assert owner.get(one).json()["email"] == f"{WROTE}@example.com"
    with pytest.raises(DatabaseError), transaction.atomic():
        Consent.objects.update(confirmed_at=timezone.now())
    with pytest.raises(DatabaseError), transaction.atomic():
        Consent.objects.all().delete()
    with django_capture_on_commit_callbacks(execute=True):
        answer = owner.delete(one)
    assert answer.status_code == 202
    assert str(Outbox.objects.get(type=45).pk) == answer.json()["erasure"]
    assert owner.get(one).status_code == owner.delete(one).status_code == 404
    assert owner.get(LEADS).json()["results"] == []
    assert owner.get(f"{LEADS}?email={WROTE}@example.com").json()["results"] == []
    lead.refresh_from_db()
    assert (lead.key, lead.email, lead.name) == ("", None, None)
    assert not any(store.exists(name) for name in files)
    assert Result.objects.get().private == Attempt.objects.get().private == ""
    assert list(Result.objects.values_list("points", "answers", "path", "outcome")) == figures
    assert Consent.objects.count() == LeadResult.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace ="
            " 'public'::regnamespace"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(
                f'SELECT count(*) FROM "{table}" AS t WHERE t::text ILIKE %s', [f"%{WROTE}%"]
            )
            assert cursor.fetchone() == (0,), table
    assert WROTE not in caplog.text
    # Its links and its PDF know nobody any more; erasing again is no error.
    leave = token_in(message, "leave")
    assert click("withdraw", leave).status_code == 404
    assert click("erase", leave).json()["state"] == "erased"
    # The same address is another lead from now on.
    assert give(finished()).status_code == 202
    assert Lead.objects.count() == 2


def test_what_a_company_sees_and_takes_away(owner: Client) -> None:
    quiz = publish(gated())
    QuestionKey.objects.bulk_create(
        QuestionKey(quiz=quiz, question=key, type=kind)
        for key, kind in [
            ("roast", "single"),
            ("boil", "number"),
            ("capital", "text"),
            ("gone", "single"),
            ("with", "multiple"),
        ]
    )
    confirmed()
    give(finished(), "=1+1@evil.com", name="=cmd()", consents={}, texts={})
    (found,) = owner.get(f"{LEADS}?email=QUAGGA@example.com").json()["results"]
    assert (found["name"], found["state"]) == (f"Mx {WROTE}", "confirmed")
    assert owner.get(f"{LEADS}?state=none").status_code == 400
    listed = owner.get(f"{LEADS}?page_size=1").json()
    assert len(listed["results"]) == 1
    assert listed["next"]
    detail = owner.get(f"{LEADS}{found['id']}/").json()
    assert [one["purpose"] for one in detail["consents"] if one["holds"]] == ["marketing"]
    assert detail["results"][0]["quiz"] == "coffee"
    pdf = f"/api/v1/companies/roasters/quizzes/{quiz.pk}/results/{detail['results'][0]['id']}/pdf/"
    assert owner.get(pdf).json()["errors"][0]["code"] == "not_ready"

    def taken(name: str) -> bytes:
        answer: Any = owner.get(f"{LEADS}export.{name}")
        return b"".join(answer.streaming_content)

    (row,) = [json.loads(line) for line in taken("jsonl").splitlines()]
    assert (row["email"], row["coffee.capital"]) == (f"{WROTE}@example.com", WROTE)
    assert (row["coffee.gone"], row["coffee.with"], row["consents"]) == (None, "milk", "marketing")
    rows = list(csv.DictReader(io.StringIO(taken("csv?all=1").decode())))
    assert [one["email"] for one in rows] == [f"{WROTE}@example.com", "'=1+1@evil.com"]
    with zipfile.ZipFile(io.BytesIO(taken("xlsx?all=1"))) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert '<is><t xml:space="preserve">=1+1@evil.com</t></is>' in sheet
    assert "<f>" not in sheet
    assert re.search(r"<v>94\.50?</v>", sheet)
    assert Waiting.objects.filter(action="lead.exported").count() == 3


@pytest.mark.django_db(transaction=True)
def test_an_account_takes_its_leads_along_and_away(tmp_path: Path) -> None:
    publish(gated())
    confirmed()
    for name, verified in (("claimant", False), ("reader", True)):
        user = User.objects.create(username=name, email=f"{WROTE}@example.com")
        EmailAddress.objects.create(user=user, email=user.email, verified=verified)
        archive_write(user, tmp_path / name)
        with zipfile.ZipFile(tmp_path / name) as archive:
            lines = archive.read("leads.ndjson").splitlines()
        assert [json.loads(line)["company"] for line in lines] == ["roasters"] * verified
        assert erase(Erasure.objects.create(account_id=user.pk, due_at=timezone.now()))
        assert Lead.objects.get().state == ("erased" if verified else "confirmed")


def test_what_is_over_is_erased() -> None:
    quiz = publish(gated())
    confirmed()
    give(finished(), "new@example.com")
    abandoned = Device()
    abandoned.save()
    month = timezone.now() - timedelta(days=31)
    Attempt.objects.update(started_at=month, saved_at=month)
    Lead.objects.filter(state="new").update(created_at=month, seen_at=month)
    done = leads_purge()
    assert (done["attempts"], done["leads"]) == (1, 1)
    assert set(Lead.objects.values_list("state", flat=True)) == {"confirmed", "erased"}
    company = quiz.company
    company.brand = {"retention_days": 20}
    company.save()
    Lead.objects.filter(state="confirmed").update(seen_at=month)
    assert leads_purge()["leads"] == 1
    assert set(Lead.objects.values_list("state", flat=True)) == {"erased"}


@pytest.mark.django_db(transaction=True)
def test_many_confirmations_are_one() -> None:
    publish(gated())
    seller = User.objects.create(username="fin")
    campaign = Coupon.objects.create(code="ROASTERS--ZEBRA", percent=10, created_by=seller)
    give(finished())
    queue.work()
    token = token_in(mail.outbox[-1], "confirm")

    def one(_: int) -> int:
        try:
            return int(click("confirm", token).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as threads:
        assert set(threads.map(one, range(50))) == {200}
    queue.work()
    assert types() == [42, 43]
    coupon = Coupon.objects.exclude(pk=campaign.pk).get()
    assert Grant.objects.get().coupon == coupon
    assert len(mail.outbox) == 2
    assert coupon.code in mail.outbox[-1].body
    assert MailToken.objects.filter(purpose="result").count() == 1
