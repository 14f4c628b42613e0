"""One report, one mail: through killed workers and mail servers that misbehave."""

import io
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from email.message import Message
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from pypdf import PdfReader

from accounts.models import User
from reports import services
from reports.models import Report
from reports.tests.conftest import Worker, buy, wait_until
from reports.tests.smtp import SMTPServer
from shop.celery import app

pytestmark = pytest.mark.django_db(transaction=True)
StartWorker = Callable[[], Worker]


@pytest.fixture(autouse=True)
def _empty_queue() -> Any:
    app.control.purge()
    yield
    app.control.purge()


def request(user: User, kind: str = "statement") -> Report:
    report, _ = services.report_request(
        caller_user=user, kind=kind, since=date(2024, 5, 1), until=date(2024, 5, 31)
    )
    return report


def status(report: Report) -> str:
    report.refresh_from_db()
    return report.status


def sweep_until(report: Report, *wanted: str, seconds: float = 30.0) -> None:
    """Do what beat does, more often, until the report has come that far."""

    def done() -> bool:
        services.reports_sweep()
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
    assert [path.name for path in services.Path(report.pdf.path).parent.iterdir()] == [
        f"{report.pk}.pdf"
    ]


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
    assert report.error == services.UNKNOWN_OUTCOME
    start_worker()
    services.reports_sweep()
    assert services.reports_requeue([report.pk]) == 0
    # What is asked for later is mailed; had the first been announced again, it would be before it.
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
    services.report_render(report.pk)
    assert status(report) == "ready"
    return report


def again(report: Report) -> None:
    Report.objects.update(next_attempt_at=timezone.now())
    services.report_mail(report.pk)


@pytest.mark.parametrize("mode", ["refuse", "reject", "silent"])
def test_a_mail_that_was_certainly_not_taken_is_sent_later(
    ready: Report, mail_server: SMTPServer, mode: str
) -> None:
    mail_server.mode = mode
    services.report_mail(ready.pk)
    assert (status(ready), ready.mail_attempts) == ("ready", 1)
    assert ready.next_attempt_at > timezone.now()
    services.report_mail(ready.pk)
    assert ready.mail_attempts == 1
    mail_server.mode = "ok"
    again(ready)
    assert status(ready) == "sent"
    assert len(mail_server.accepted) == 1


@pytest.mark.parametrize("mode", ["drop", "hang"])
def test_a_mail_that_may_have_been_taken_is_never_sent_again(
    ready: Report, mail_server: SMTPServer, mode: str
) -> None:
    mail_server.mode = mode
    services.report_mail(ready.pk)
    mail_server.mode = "ok"
    assert (status(ready), ready.error) == ("failed", services.UNKNOWN_OUTCOME)
    again(ready)
    services.reports_sweep()
    assert services.reports_requeue([ready.pk]) == 0
    assert (len(mail_server.received), len(mail_server.accepted)) == (1, 0)


def at_once(work: Callable[[], Any], times: int = 6) -> list[Any]:
    """Run the same work in threads that start together; return what each returned."""
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
    at_once(lambda: services.report_mail(ready.pk))
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
    ready: Report, settings: Any, mail_server: SMTPServer
) -> None:
    settings.REPORTS_MAIL_ATTEMPTS = 2
    settings.EMAIL_PORT = 9
    services.report_mail(ready.pk)
    assert status(ready) == "ready"
    again(ready)
    assert status(ready) == "failed"
    settings.EMAIL_PORT = mail_server.port
    assert services.reports_requeue([ready.pk]) == 1
    services.report_mail(ready.pk)
    assert status(ready) == "sent"


def test_large_pdf_is_linked_instead_of_attached(
    ready: Report, settings: Any, mail_server: SMTPServer
) -> None:
    settings.REPORTS_ATTACHMENT_MAX_BYTES = 10
    services.report_mail(ready.pk)
    (mail,) = mail_server.accepted
    assert not mail.is_multipart()
    assert "/reports/" in str(mail.get_payload())


def test_rendering_that_always_fails_ends_in_a_clear_error(
    joe: User, deployment: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise services.RenderingFailed("volume 1: secret detail")

    settings.REPORTS_RENDER_ATTEMPTS = 2
    monkeypatch.setattr("reports.rendering.render_statement", broken)
    report = request(joe)
    services.report_render(report.pk)
    assert status(report) == "queued"
    services.report_render(report.pk)
    assert (status(report), report.error) == ("failed", "The PDF could not be made.")


def test_sales_report_adds_up(joe: User, ann: User, staff: User, deployment: Any) -> None:
    joes, anns = buy(joe), buy(ann, price="0.10", currency="USD")
    report = request(staff, "sales")
    services.report_render(report.pk)
    assert status(report) == "ready"
    text = "\n".join(page.extract_text() for page in PdfReader(report.pdf.path).pages)
    for expected in ("joe", "ann", f"{joes:.2f}", f"{anns:.2f}"):
        assert expected in text


def test_request_survives_a_broker_that_is_away(joe: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(app, "send_task", away)
    assert status(request(joe)) == "queued"


def test_a_worker_whose_clock_is_ahead_gives_no_report_away(
    joe: User, deployment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = [request(joe) for _ in range(2)]
    for report, state in zip(reports, ("rendering", "sending"), strict=True):
        Report.objects.filter(pk=report.pk).update(status=state, claim=uuid4(), claimed_at=Now())
    tomorrow = timezone.now() + timedelta(days=1)
    monkeypatch.setattr(timezone, "now", lambda: tomorrow)
    services.reports_sweep()
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
    assert services.reports_sweep() == (swept != "failed")
    assert status(ready) == swept
    services.report_render(ready.pk)
    services.report_mail(ready.pk)
    assert status(ready) == end
    assert len(mail_server.accepted) == (end == "sent")
