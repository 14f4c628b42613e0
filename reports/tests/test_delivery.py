"""One report, one mail: with killed workers and faulty mail servers."""

import io
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from email.message import Message
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from pypdf import PdfReader

from accounts.models import User
from documents import mailing, queue, rendering_job, upkeep
from documents.rendered import RenderingFailed
from documents.storage import store
from reports import services
from reports.models import Report
from reports.tests.conftest import Worker, buy, wait_until
from shop.celery import app
from tests.smtp import SMTPServer
from tests.web import losing_the_database

pytestmark = pytest.mark.django_db(transaction=True)
StartWorker = Callable[[], Worker]


@pytest.fixture(autouse=True)
def _empty_queue() -> Any:
    app.control.purge()
    yield
    app.control.purge()


def request(user: User, kind: str = "statement", *, until: int = 31) -> Report:
    report, _ = services.report_request(
        caller_user=user, kind=kind, since=date(2024, 5, 1), until=date(2024, 5, until)
    )
    return report


def status(report: Report) -> str:
    report.refresh_from_db()
    return report.status


def sweep_until(report: Report, *wanted: str, seconds: float = 30.0) -> None:
    """Run beat's tasks, more often than beat, until the report has this status."""

    def done() -> bool:
        upkeep.documents_sweep()
        return status(report) in wanted

    wait_until(done, seconds, every=0.3)


def pdf_of(mail: Message) -> bytes:
    (part,) = [part for part in mail.walk() if part.get_content_type() == "application/pdf"]
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def test_request_to_mail_through_a_worker(
    start_worker: StartWorker, joe: User, ann: User, mail_server: SMTPServer
) -> None:
    total = buy(joe, count=40)
    buy(ann, price="7.77")
    start_worker()
    client = Client()
    client.force_login(joe)
    body = {"kind": "statement", "since": "2024-05-01", "until": "2024-05-31"}
    id = client.post("/api/v1/reports/", body, content_type="application/json").json()["id"]
    shown = wait_until(
        lambda: (
            answer
            if (answer := client.get(f"/api/v1/reports/{id}/").json())["status"] == "sent"
            else None
        )
    )
    assert shown["emailed_at"] is not None
    (mail,) = mail_server.accepted
    assert mail["To"] == joe.email
    assert mail["Message-ID"] == f"<report-{id}@scalable-shop>"
    response: Any = client.get(shown["pdf"])
    assert response["Content-Type"] == "application/pdf"
    pdf = b"".join(response.streaming_content)
    assert pdf_of(mail) == pdf
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    assert str(total) in text
    assert "7.77" not in text
    lines = re.findall(r"2024-05-01 00:00:\d\d.*?EUR\s+(\d+\.\d\d)", text, re.DOTALL)
    assert sum(map(Decimal, lines)) == total


def test_worker_killed_while_rendering(
    start_worker: StartWorker, joe: User, mail_server: SMTPServer
) -> None:
    buy(joe, count=6000)
    worker = start_worker()
    report = request(joe)
    wait_until(lambda: status(report) == "rendering", every=0.01)
    worker.kill()
    assert status(report) == "rendering"
    start_worker()
    sweep_until(report, "sent")
    assert report.attempts == 2
    assert len(mail_server.accepted) == len(mail_server.received) == 1
    # The first worker's unfinished file is removed.
    assert list(Path(store.path(report.file)).parent.iterdir()) == [Path(store.path(report.file))]


def test_worker_killed_between_rendering_and_mail(
    start_worker: StartWorker, joe: User, mail_server: SMTPServer
) -> None:
    buy(joe)
    mail_server.mode = "silent"
    worker = start_worker()
    report = request(joe)
    wait_until(lambda: mail_server.connections, every=0.01)
    worker.kill()
    assert status(report) == "ready"
    mail_server.mode = "ok"
    start_worker()
    sweep_until(report, "sent")
    assert (report.attempts, len(mail_server.received)) == (1, 1)


def test_worker_killed_after_the_mail_was_handed_over(
    start_worker: StartWorker, joe: User, mail_server: SMTPServer
) -> None:
    buy(joe)
    mail_server.mode = "hang"
    worker = start_worker()
    report = request(joe)
    wait_until(lambda: mail_server.received, every=0.01)
    worker.kill()
    assert status(report) == "sending"
    mail_server.mode = "ok"
    sweep_until(report, "failed")
    assert report.error == mailing.UNKNOWN_OUTCOME
    start_worker()
    upkeep.documents_sweep()
    assert upkeep.documents_requeue([report.pk]) == 0
    # The later report is mailed; if the first had been announced again, it would come before.
    later = request(joe)
    wait_until(lambda: status(later) == "sent")
    assert [str(later.pk) in str(mail["Message-ID"]) for mail in mail_server.received] == [
        False,
        True,
    ]
    assert len(mail_server.accepted) == 1


@pytest.fixture
def ready(joe: User, deployment: Any) -> Report:
    buy(joe)
    report = request(joe)
    rendering_job.document_render(report.pk)
    assert status(report) == "ready"
    return report


def again(report: Report) -> None:
    Report.objects.update(next_attempt_at=timezone.now())
    mailing.document_mail(report.pk)


@pytest.mark.parametrize("mode", ["refuse", "silent", "leave"])
def test_a_mail_that_was_certainly_not_taken_is_sent_later(
    ready: Report, mail_server: SMTPServer, mode: str, settings: Any
) -> None:
    # Long enough to notice an attempt that is not due.
    settings.DOCUMENT_RETRY_SECONDS = 60
    mail_server.mode = mode
    queue.work()
    assert (status(ready), ready.mail_attempts) == ("ready", 1)
    assert ready.error.startswith(mailing.NOT_ACCEPTED)
    assert ready.next_attempt_at > timezone.now()
    queue.work()
    assert (status(ready), ready.mail_attempts) == ("ready", 1)
    mail_server.mode = "ok"
    again(ready)
    assert status(ready) == "sent"
    assert len(mail_server.accepted) == 1


@pytest.mark.parametrize("mode", ["drop", "hang"])
def test_a_mail_that_may_have_been_taken_is_never_sent_again(
    ready: Report, mail_server: SMTPServer, mode: str
) -> None:
    mail_server.mode = mode
    mailing.document_mail(ready.pk)
    mail_server.mode = "ok"
    assert (status(ready), ready.error) == ("failed", mailing.UNKNOWN_OUTCOME)
    again(ready)
    upkeep.documents_sweep()
    assert upkeep.documents_requeue([ready.pk]) == 0
    assert (len(mail_server.received), len(mail_server.accepted)) == (1, 0)


def test_a_connection_lost_after_the_mail_does_not_lose_its_outcome(
    ready: Report, mail_server: SMTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailing, "send_once", losing_the_database(mailing.send_once))
    mailing.document_mail(ready.pk)
    assert (status(ready), len(mail_server.accepted)) == ("sent", 1)


def at_once(work: Callable[[], Any], times: int = 6) -> list[Any]:
    """Run the same function in threads that start together; return all results."""
    barrier = threading.Barrier(times)

    def run(_: int) -> Any:
        barrier.wait()
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def test_simultaneous_deliveries_are_one_mail(ready: Report, mail_server: SMTPServer) -> None:
    at_once(lambda: mailing.document_mail(ready.pk))
    assert status(ready) == "sent"
    assert len(mail_server.received) == 1


def test_simultaneous_requests_with_one_key_are_one_report(joe: User) -> None:
    answers = at_once(
        lambda: services.report_request(
            caller_user=joe,
            kind="statement",
            since=date(2024, 5, 1),
            until=date(2024, 5, 31),
            idempotency_key="k",
        )
    )
    assert Report.objects.count() == 1
    assert [replayed for _, replayed in answers].count(False) == 1


def test_mail_server_that_stays_away_fails_the_report(
    ready: Report, settings: Any, site_settings: Any, mail_server: SMTPServer
) -> None:
    site_settings.mail_attempts = 2
    settings.EMAIL_PORT = 9
    mailing.document_mail(ready.pk)
    assert status(ready) == "ready"
    again(ready)
    assert status(ready) == "failed"
    settings.EMAIL_PORT = mail_server.port
    assert upkeep.documents_requeue([ready.pk]) == 1
    mailing.document_mail(ready.pk)
    assert status(ready) == "sent"


def test_large_pdf_is_linked_instead_of_attached(
    ready: Report, site_settings: Any, mail_server: SMTPServer
) -> None:
    site_settings.mail_attachment_mib = 0
    mailing.document_mail(ready.pk)
    (mail,) = mail_server.accepted
    assert not mail.is_multipart()
    assert "/reports/" in str(mail.get_payload())


def test_a_permanent_refusal_ends_the_report_and_says_why(
    ready: Report, mail_server: SMTPServer
) -> None:
    mail_server.mode = "reject"
    mailing.document_mail(ready.pk)
    assert (status(ready), ready.mail_attempts) == ("failed", 1)
    assert ready.error == f"{mailing.NOT_ACCEPTED}: 550 no such mailbox"
    # It was certainly not mailed, so an operator may try again.
    mail_server.mode = "ok"
    assert upkeep.documents_requeue([ready.pk]) == 1
    mailing.document_mail(ready.pk)
    assert status(ready) == "sent"


@pytest.mark.parametrize("mode", ["announces 2000", "refuses by size"])
def test_what_is_over_the_servers_size_goes_as_a_link(
    ready: Report, mail_server: SMTPServer, mode: str
) -> None:
    if mode == "announces 2000":
        mail_server.size = 2000
    mail_server.size_enforced = 2000
    mailing.document_mail(ready.pk)
    assert status(ready) == "sent"
    (mail,) = mail_server.accepted
    assert not mail.is_multipart()
    assert "not attached" in str(mail.get_payload())


def test_a_pdf_that_is_gone_is_made_again(ready: Report, mail_server: SMTPServer) -> None:
    Path(store.path(ready.file)).unlink()
    mailing.document_mail(ready.pk)
    assert (status(ready), ready.error) == ("queued", "The stored PDF is missing.")
    Report.objects.update(next_attempt_at=timezone.now())
    queue.work()
    assert (status(ready), len(mail_server.accepted)) == ("sent", 1)


def test_a_report_that_is_too_long_says_so(joe: User, deployment: Any, site_settings: Any) -> None:
    site_settings.reports_max_lines = 2
    buy(joe, count=3)
    report = request(joe)
    queue.work()
    assert (status(report), report.attempts) == ("failed", 1)
    assert "more than 2 lines" in report.error


def test_many_reports_of_one_account_delay_no_other_account(
    joe: User, ann: User, deployment: Any
) -> None:
    theirs = [request(joe, until=day) for day in range(20, 25)]
    anns = request(ann)
    first = queue.take_queued()
    assert first is not None
    assert first[0] == theirs[0].pk
    # While one of joe's is rendered, the next worker takes ann's and a third takes none.
    second = queue.take_queued()
    assert second is not None
    assert second[0] == anns.pk
    assert queue.take_queued() is None
    # The account with fewer recent pages comes first, even with a later request.
    Report.objects.filter(pk=theirs[0].pk).update(status="sent", pages=900, rendered_at=Now())
    Report.objects.filter(pk=anns.pk).update(status="sent", pages=1, rendered_at=Now())
    later = request(ann, until=30)
    third = queue.take_queued()
    assert third is not None
    assert third[0] == later.pk


def test_workers_that_look_at_once_take_one_report_of_an_account(
    joe: User, deployment: Any
) -> None:
    for day in range(20, 25):
        request(joe, until=day)
    taken = at_once(queue.take_queued)
    assert len([each for each in taken if each is not None]) == 1


def test_one_message_is_enough_for_all_that_waits(
    joe: User, ann: User, deployment: Any, mail_server: SMTPServer
) -> None:
    buy(joe)
    for user in (joe, ann):
        for day in (29, 30):
            request(user, until=day)
    queue.work()
    assert set(Report.objects.values_list("status", flat=True)) == {"sent"}
    assert len(mail_server.accepted) == 4


def test_a_mail_server_that_hangs_keeps_no_report_from_being_rendered(
    joe: User, ann: User, deployment: Any, mail_server: SMTPServer
) -> None:
    buy(joe)
    mail_server.mode = "silent"
    reports = [request(user, until=day) for user in (joe, ann) for day in (29, 30)]
    queue.work()
    assert [status(report) for report in reports] == ["ready"] * 4
    assert mail_server.connections == 1


def test_rendering_that_always_fails_ends_in_a_clear_error(
    joe: User, deployment: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise RenderingFailed("volume 1: secret detail")

    settings.DOCUMENT_RENDER_ATTEMPTS = 2
    monkeypatch.setattr("reports.rendering.render_statement", broken)
    report = request(joe)
    rendering_job.document_render(report.pk)
    assert status(report) == "queued"
    rendering_job.document_render(report.pk)
    assert (status(report), report.error) == ("failed", "The PDF could not be made.")


def test_sales_report_adds_up(joe: User, ann: User, staff: User, deployment: Any) -> None:
    joes, anns = buy(joe), buy(ann, price="0.10", currency="USD")
    report = request(staff, "sales")
    rendering_job.document_render(report.pk)
    assert status(report) == "ready"
    text = "\n".join(page.extract_text() for page in PdfReader(store.path(report.file)).pages)
    for expected in ("joe", "ann", f"{joes:.2f}", f"{anns:.2f}"):
        assert expected in text


def test_a_report_is_written_in_the_language_of_who_asked(joe: User, deployment: Any) -> None:
    buy(joe)
    joe.language = "de"
    joe.save()
    report = request(joe)
    rendering_job.document_render(report.pk)
    assert status(report) == "ready"
    reader = PdfReader(store.path(report.file))
    text = "\n".join(page.extract_text() for page in reader.pages)
    for expected in (
        "Kontoauszug",
        "1. Mai 2024 bis 31. Mai 2024",
        "Käufe im Mai 2024",
        "Summe des Zeitraums 3 EUR 7171,80",
        "book 2 2 1195,30 EUR 2390,60",
        "Seite 1 von 1",
    ):
        assert expected in text
    assert reader.root_object["/Lang"] == "de"


def test_request_survives_a_broker_that_is_away(joe: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(app, "send_task", away)
    assert status(request(joe)) == "queued"


def test_a_worker_whose_clock_is_ahead_gives_no_report_away(
    joe: User, deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = [request(joe, until=day) for day in (30, 31)]
    for report, state in zip(reports, ("rendering", "sending"), strict=True):
        Report.objects.filter(pk=report.pk).update(status=state, claim=uuid4(), claimed_at=Now())
    tomorrow = timezone.now() + timedelta(days=1)
    monkeypatch.setattr(timezone, "now", lambda: tomorrow)
    upkeep.documents_sweep()
    assert [status(report) for report in reports] == ["rendering", "sending"]


@pytest.mark.parametrize(
    ("state", "swept", "end"),
    [
        ("queued", "queued", "sent"),
        ("rendering", "queued", "sent"),
        ("ready", "ready", "sent"),
        ("sending", "failed", "failed"),
    ],
)
def test_no_report_waits_for_a_clock_that_was_put_back(
    ready: Report, mail_server: SMTPServer, state: str, swept: str, end: str
) -> None:
    ahead = timezone.now() + timedelta(days=1)
    Report.objects.update(
        status=state, claim=uuid4(), claimed_at=ahead, created_at=ahead, next_attempt_at=ahead
    )
    assert upkeep.documents_sweep() == (swept != "failed")
    assert status(ready) == swept
    queue.work()
    assert status(ready) == end
    assert len(mail_server.accepted) == (end == "sent")
