"""What the parts of the shop do in containers: invoices, quizzes, webhooks, settings and the log.

The tests of a stack run in the order of their files. Each finds what the ones before it have left,
as a stack that is in use does.
"""

import base64
import re
import secrets
import time
import uuid
from email.message import EmailMessage

from tests.stack.shared import buy
from tests.stack.stack import Stack, wait_for

KINDS = {"web", "live", "relay", "follower", "worker", "beat"}
QUIZ = {
    "format": "shop-quiz/1",
    "languages": ["en"],
    "title": {"en": "Coffee"},
    "settings": {"headline": "band", "contact": "before_result"},
    "contact": {"name": "none", "consents": []},
    "bands": [{"key": "pro", "from": 0, "title": {"en": "Professional"}}],
    "questions": [
        {
            "key": "roast",
            "type": "single",
            "title": {"en": "Roast?"},
            "options": [{"key": "dark", "title": {"en": "Dark"}, "points": 1}],
        }
    ],
}


def mail_with_pdf(stack: Stack, address: str, words: str) -> EmailMessage | None:
    """Return the mail with a PDF to an address whose subject has these words, once it is there."""
    for mail in stack.mails():
        attached = [part.get_content_type() for part in mail.iter_attachments()]
        if mail["To"] == address and words in mail["Subject"] and attached == ["application/pdf"]:
            return mail
    return None


def test_an_invoice_is_issued_and_mailed(stack: Stack):
    with stack.client("staff") as client, stack.client("joe") as joe:
        buy(joe, stack.item())
        rate = {"code": "standard", "category": "S", "rate": "19", "valid_from": "2020-01-01"}
        answer = client.post("/api/v1/billing/tax-rates/", json=rate)
        assert answer.status_code == 201, answer.text
        answer = client.post("/api/v1/billing/invoices/", json={"username": "joe"})
        assert answer.status_code == 201, answer.text
        path = f"/api/v1/billing/invoices/{answer.json()['id']}/"
        issued = client.post(f"{path}issue/", json={})
        assert issued.status_code == 200, issued.text
        number = issued.json()["number"]
        assert re.fullmatch(r"INV-\d{4}-0*1", number)
        answer = client.post(f"{path}send/", json={})
        assert answer.status_code == 202, answer.text
        mail = wait_for(lambda: mail_with_pdf(stack, "joe@shop.test", number), 90)
        (attachment,) = mail.iter_attachments()
        assert attachment.get_content() == joe.get(f"{path}pdf/").content


def test_a_quiz_is_answered_and_its_result_mailed(stack: Stack):
    quizzes = "/api/v1/companies/shop/quizzes/"
    with stack.client("staff") as client:
        answer = client.post(quizzes, json={"slug": "coffee", "definition": QUIZ})
        assert answer.status_code == 201, answer.text
        answer = client.post(f"{quizzes}{answer.json()['id']}/publish/", json={})
        assert answer.status_code == 201, answer.text
    with stack.client() as client:
        assert client.get("/q/coffee/").status_code == 200
        key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        client.headers["Authorization"] = f"Attempt {key}"
        # Ids of attempts begin with the time, as UUIDs of version 7 do.
        moment = int(time.time() * 1000)
        identity = uuid.UUID(int=moment << 80 | 7 << 76 | 2 << 62 | secrets.randbits(62))
        path = f"/api/v1/q/coffee/attempts/{identity}/"
        answers = {"rev": 1, "answers": {"roast": "dark"}}
        answer = client.put(path, json=answers | {"version": 1, "language": "en"})
        assert answer.status_code in (200, 201, 204), answer.text
        answer = client.post(f"{path}finish/", json=answers)
        assert answer.status_code == 201, answer.text
        given = {"email": "lead@shop.test", "consents": {}, "texts": {}}
        answer = client.post(f"{path}contact/", json=given)
        assert answer.status_code == 202, answer.text

        def token() -> str | None:
            mails = [mail for mail in stack.mails() if mail["To"] == "lead@shop.test"]
            found = mails and re.search(r"/q/confirm/\S*#(\S+)", mails[0].get_content())
            return found[1] if found else None

        link = wait_for(token, 90)
        del client.headers["Authorization"]
        answer = client.post("/api/v1/q/confirm/", json={"token": link})
        assert answer.status_code in (200, 204), answer.text
    wait_for(lambda: mail_with_pdf(stack, "lead@shop.test", ""), 90)


def test_a_webhook_is_told_of_purchases_in_order(stack: Stack):
    # The mail server receives webhooks, too.
    hook = {"url": "http://mail:9000/", "events": ["purchase.recorded"], "scope": "all"}
    with stack.client("staff") as client, stack.client("joe") as joe:
        answer = client.post("/api/v1/webhooks/", json=hook)
        assert answer.status_code == 201, answer.text
        items = [stack.item() for _ in range(5)]
        for item in items:
            buy(joe, item)

        def told() -> list[str]:
            events = [event for one in stack.posted() for event in one["data"]["events"]]
            return [event["purchase"]["item"] for event in events]

        wait_for(lambda: told() == items, 60)
        client.delete(f"/api/v1/webhooks/{answer.json()['id']}/")


def test_a_setting_reaches_every_process(stack: Stack):
    with stack.client("staff") as client:
        instances = "/api/v1/operations/instances/"

        def kinds(version: int = 0) -> set[str]:
            return {
                one["kind"]
                for one in client.get(instances).json()
                if one["state"] == "alive" and one["settings_version"] >= version
            }

        wait_for(lambda: kinds() == KINDS, 60)
        before = client.get("/api/v1/settings/")
        answer = client.patch(
            "/api/v1/settings/",
            json={"site_name": "Corner shop"},
            headers={"If-Match": before.headers["ETag"]},
        )
        assert answer.status_code == 200, answer.text
        wait_for(lambda: kinds(answer.json()["version"]) == KINDS, 30)
        assert "Corner shop" in client.get("/", headers={"Authorization": ""}).text
        client.patch(
            "/api/v1/settings/",
            json={"site_name": None},
            headers={"If-Match": answer.headers["ETag"]},
        )


def test_lines_of_all_containers_are_found(stack: Stack):
    """Those of nginx and PostgreSQL come in by the commands that docs/logs.md has."""
    for part in ("nginx", "postgres"):
        lines = stack.compose("logs", "--no-color", "--no-log-prefix", "--tail", "50", part)
        words = ["exec", "-T", "worker", "python", "manage.py", "ship_log", "--part", part]
        assert "0 lines were dropped." in stack.compose(*words, input=lines)
    with stack.client("staff") as client:

        def found(part: str) -> bool:
            answer = client.get("/api/v1/logs/", params={"part": part, "level": "debug"})
            assert answer.status_code == 200, answer.text
            return bool(answer.json()["results"])

        for part in (*sorted(KINDS), "nginx", "postgres"):
            wait_for(lambda: found(part), 30)  # noqa: B023
