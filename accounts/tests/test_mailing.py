"""The queue of account mails, with a real mail server that misbehaves."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from accounts import mailing
from accounts.mailing import UNKNOWN_OUTCOME, mail_queue, mails_send, mails_sweep
from accounts.models import OutgoingMail, User
from accounts.tasks import purge
from accounts.tests.conftest import PASSWORD
from shop.celery import app
from tests.smtp import SMTPServer, smtp_server
from tests.web import losing_the_database

pytestmark = pytest.mark.django_db

Status = OutgoingMail.Status


@pytest.fixture
def server(settings: Any) -> Iterator[SMTPServer]:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_TIMEOUT = 1
    with smtp_server() as running:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.port
        yield running


def queue(**given: Any) -> OutgoingMail:
    mail = {"kind": "notice", "recipient": "a@example.com", "subject": "Hello", "body": "A link"}
    mail_queue(**(mail | given))
    return OutgoingMail.objects.latest("pk")


def due_again(mail: OutgoingMail) -> None:
    OutgoingMail.objects.filter(pk=mail.pk).update(next_attempt_at=Now())


def test_a_mail_is_sent_once_and_its_text_is_gone(server: SMTPServer) -> None:
    mail = queue()
    assert mails_send() == 1
    assert mails_send() == 0
    [message] = server.accepted
    assert (message["To"], message["Subject"]) == ("a@example.com", "Hello")
    assert message["Auto-Submitted"] == "auto-generated"
    mail.refresh_from_db()
    assert (mail.status, mail.body, mail.error) == (Status.SENT, "", "")


@pytest.mark.django_db(transaction=True)
def test_a_connection_lost_after_the_mail_does_not_lose_its_outcome(
    server: SMTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = queue()
    monkeypatch.setattr(mailing, "send_once", losing_the_database(mailing.send_once))
    mails_send()
    mail.refresh_from_db()
    assert (mail.status, mail.attempts, len(server.accepted)) == (Status.SENT, 1, 1)


@pytest.mark.parametrize(
    ("mode", "status"),
    [
        ("refuse", Status.QUEUED),
        ("leave", Status.QUEUED),
        ("reject", Status.FAILED),
        ("drop", Status.FAILED),
        ("hang", Status.FAILED),
        ("silent", Status.QUEUED),
    ],
)
def test_what_becomes_of_a_mail(server: SMTPServer, mode: str, status: Status) -> None:
    """A temporary refusal is tried again; a permanent one and an unknown outcome are not."""
    mail = queue()
    server.mode = mode
    assert mails_send() == 0
    mail.refresh_from_db()
    assert mail.status == status
    assert mail.attempts == 1
    if mode in ("drop", "hang"):
        assert mail.error == UNKNOWN_OUTCOME
    elif mode == "reject":
        assert "550" in mail.error
    assert bool(mail.body) == (status == Status.QUEUED)
    server.mode = "ok"
    assert mails_send() == 0, "not before its time"
    due_again(mail)
    assert mails_send() == (status == Status.QUEUED)


def test_attempts_end(server: SMTPServer) -> None:
    mail = queue()
    server.mode = "refuse"
    for _ in range(mailing.ATTEMPTS + 2):
        due_again(mail)
        mails_send()
    mail.refresh_from_db()
    assert (mail.status, mail.attempts) == (Status.FAILED, mailing.ATTEMPTS)
    assert "451" in mail.error
    assert len(server.received) == mailing.ATTEMPTS


def test_a_server_that_is_away_is_asked_once_a_round(server: SMTPServer, settings: Any) -> None:
    for _ in range(3):
        queue()
    server.mode = "silent"
    mails_send()
    assert server.connections == 1
    assert set(OutgoingMail.objects.values_list("status", flat=True)) == {Status.QUEUED}
    settings.EMAIL_PORT = 1
    mails_send()
    server.mode, settings.EMAIL_PORT = "ok", server.port
    OutgoingMail.objects.update(next_attempt_at=Now())
    assert mails_send() == 3


def test_a_folder_that_cannot_be_written_leaves_the_mail_in_its_queue(
    settings: Any, tmp_path: Path
) -> None:
    settings.EMAIL_BACKEND = "shop.core.mail.FileBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    settings.EMAIL_FILE_PATH.touch()
    mail = queue()
    assert mails_send() == 0
    mail.refresh_from_db()
    assert (mail.status, mail.attempts) == (Status.QUEUED, 1)
    settings.EMAIL_FILE_PATH.unlink()
    due_again(mail)
    assert mails_send() == 1
    assert len(list(settings.EMAIL_FILE_PATH.iterdir())) == 1


def test_a_worker_that_died_while_sending_sends_nothing_twice(server: SMTPServer) -> None:
    mail = queue()
    long_ago = timezone.now() - timedelta(seconds=mailing.SENDING_SECONDS + 1)
    OutgoingMail.objects.update(status=Status.SENDING, claimed_at=timezone.now())
    mails_sweep()
    mail.refresh_from_db()
    assert mail.status == Status.SENDING
    OutgoingMail.objects.update(claimed_at=long_ago)
    mails_sweep()
    mails_send()
    mail.refresh_from_db()
    assert (mail.status, mail.error, mail.body) == (Status.FAILED, UNKNOWN_OUTCOME, "")
    assert not server.received


@pytest.mark.django_db(transaction=True)
def test_many_workers_send_each_mail_once(server: SMTPServer) -> None:
    for _ in range(10):
        queue()

    def work(_: int) -> int:
        try:
            return mails_send()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        sent = sum(pool.map(work, range(4)))
    assert sent + mails_send() == 10
    assert len(server.received) == 10


@pytest.mark.django_db(transaction=True)
def test_no_request_waits_for_a_mail_server(server: SMTPServer, monkeypatch: Any) -> None:
    """Sign-up, reset, and a changed password, with a mail server that hangs."""
    announced: list[str] = []
    monkeypatch.setattr(app, "send_task", lambda name, **options: announced.append(name))
    server.mode = "silent"
    user = User.objects.create_user("alice", "alice@example.com", PASSWORD)
    client = Client()
    client.force_login(user)
    new = {"oldpassword": PASSWORD, "password1": "another-lamp-43", "password2": "another-lamp-43"}
    account = {"username": "eve", "email": "eve@example.com", "password": PASSWORD}
    page = {"username": "dora", "email": "dora@example.com"}
    page |= {"password1": PASSWORD, "password2": PASSWORD}
    started = time.monotonic()
    answers = [
        Client().post("/api/v1/accounts/", account, content_type="application/json"),
        Client().post("/accounts/signup/", page),
        Client().post("/accounts/password/reset/", {"email": "alice@example.com"}),
        Client().post("/accounts/password/reset/", {"email": "nobody@example.com"}),
        client.post("/accounts/password/change/", new),
    ]
    assert [answer.status_code for answer in answers] == [201, 302, 302, 302, 302]
    assert server.connections == 0
    assert time.monotonic() - started < 20
    assert OutgoingMail.objects.count() == len(announced) == 5


def test_a_change_that_fails_tells_nobody(alice: User, monkeypatch: Any) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    monkeypatch.setattr(
        OutgoingMail.objects, "create", lambda **fields: (_ for _ in ()).throw(RuntimeError)
    )
    new = {"oldpassword": PASSWORD, "password1": "another-lamp-43", "password2": "another-lamp-43"}
    assert client.post("/accounts/password/change/", new).status_code == 500
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_a_mailbox_gets_a_few_mails_of_strangers_and_every_notice() -> None:
    reset = {"kind": "account/email/password_reset_key"}

    def sent(**given: Any) -> bool:
        mail: dict[str, Any] = {"recipient": "a@example.com", "subject": "", "body": ""}
        return mail_queue(**(mail | given))

    assert [sent(origin="10.0.0.1", **reset) for _ in range(6)] == [True] * 5 + [False]
    assert sent(origin="10.0.0.2", **reset)
    # Other purposes and other addresses have counters of their own.
    assert sent(origin="10.0.0.1", kind="account/email/email_confirmation")
    assert sent(origin="10.0.0.1", recipient="b@example.com", **reset)
    assert [sent(origin=f"10.0.1.{number}", **reset) for number in range(20)].count(True) == 14
    for _ in range(30):
        assert sent(kind="account/email/password_changed")
    OutgoingMail.objects.update(created_at=timezone.now() - timedelta(hours=2))
    assert sent(origin="10.0.0.1", **reset)


def test_the_queue_is_bounded_for_strangers(monkeypatch: Any) -> None:
    monkeypatch.setattr(mailing, "QUEUED_MAX", 2)
    unknown = {"kind": "account/email/unknown_account", "subject": "", "body": ""}
    sent = [mail_queue(recipient=f"{number}@example.com", **unknown) for number in range(4)]
    assert sent == [True, True, False, False]
    assert mail_queue(recipient="a@example.com", kind="notice", subject="", body="")


def test_old_mails_are_purged() -> None:
    kept, old, waiting = queue(), queue(), queue()
    OutgoingMail.objects.filter(pk__in=(kept.pk, old.pk)).update(
        status=Status.SENT, finished_at=timezone.now()
    )
    OutgoingMail.objects.filter(pk=old.pk).update(
        finished_at=timezone.now() - mailing.KEPT - timedelta(hours=1)
    )
    purge()
    assert set(OutgoingMail.objects.values_list("pk", flat=True)) == {kept.pk, waiting.pk}
