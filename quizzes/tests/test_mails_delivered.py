"""Mails to leads by a real worker, over a real connection to a mail server that breaks off."""

import re
from collections.abc import Callable, Iterator
from email.message import Message

import pytest
from django.test import Client

from accounts.models import User
from documents.models import Document
from documents.upkeep import documents_sweep
from quizzes.leads.models import Lead
from quizzes.tests.answering import ANSWERS, Device, coffee, publish, texts
from reports.tests.conftest import Worker, deployment, mail_server, start_worker, wait_until
from shop.celery import app
from tests.smtp import SMTPServer

__all__ = ["deployment", "mail_server", "start_worker"]
pytestmark = pytest.mark.django_db(transaction=True)
WROTE = "quagga"
"""In whatever the respondent typed."""


@pytest.fixture(autouse=True)
def _empty_queue() -> Iterator[None]:
    app.control.purge()
    yield
    app.control.purge()


def text_of(message: Message) -> str:
    return "".join(
        part.get_payload(decode=True).decode()  # type: ignore[union-attr]
        for part in message.walk()
        if part.get_content_type() == "text/plain"
    )


def token_in(message: Message, page: str) -> str:
    (found,) = re.findall(rf"/q/{page}/\?\S+#(\S+)", text_of(message))
    return str(found)


def click(action: str, token: str) -> int:
    answer = Client().post(f"/api/v1/q/{action}/", {"token": token}, "application/json")
    return int(answer.status_code)


def test_a_worker_killed_while_it_mails_a_result_leaves_an_unknown_outcome_and_one_mail(
    start_worker: Callable[[], Worker], mail_server: SMTPServer
) -> None:
    settings = {"headline": "outcome", "contact": "before_result"}
    contact = {"name": "optional", "consents": [{"key": "news", "text": texts("Write to me")}]}
    publish(coffee(settings=settings, contact=contact))
    boss = Client()
    boss.force_login(User.objects.create(username="boss", is_superuser=True, is_staff=True))
    worker = start_worker()
    device = Device()
    answers = {**ANSWERS, "capital": WROTE}
    device.save(answers)
    assert device.finish(answers).status_code == 201
    given = {"email": f"{WROTE}@example.com", "name": f"Mx {WROTE}", "consents": {}, "texts": {}}
    assert device.send("POST", "contact/", given).status_code == 202
    wait_until(lambda: mail_server.accepted, 120)
    (asked,) = mail_server.accepted
    assert asked["To"] == f"{WROTE}@example.com"
    assert WROTE not in text_of(asked) + str(asked["Subject"])

    def told() -> list[str]:
        documents_sweep()
        lead = Lead.objects.get()
        found = boss.get(f"/api/v1/companies/roasters/leads/{lead.pk}/").json()["mails"]
        return [f"{each['kind']} {each['state']}" for each in found]

    # The server has the whole mail, and the worker dies before it hears so.
    mail_server.mode = "hang"
    token = token_in(asked, "confirm")
    assert {click("confirm", token) for _ in range(3)} == {200}
    wait_until(lambda: len(mail_server.received) == 2, 120)
    worker.kill()
    assert Document.objects.get(kind="quiz_mail").status == "sending"
    mail_server.mode = "ok"
    wait_until(lambda: told() == ["result unknown", "confirm sent"], 60)
    # Another worker looks at what waits, and leaves it alone; a later lead's mail does come.
    start_worker()
    later = Device()
    later.save(answers)
    later.finish(answers)
    later.send("POST", "contact/", {**given, "email": "later@example.com"})
    wait_until(lambda: len(mail_server.accepted) == 2, 120)
    result = mail_server.received[1]
    assert [each["To"] for each in mail_server.received] == [
        f"{WROTE}@example.com",
        f"{WROTE}@example.com",
        "later@example.com",
    ]
    # Whoever got it may ask for it again, within the limits.
    assert f"Mx {WROTE}" not in text_of(asked)
    assert click("again", token_in(result, "result")) == 200
