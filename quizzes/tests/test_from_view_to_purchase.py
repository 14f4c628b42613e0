"""The whole way through the interfaces: a view, answers, an address, a coupon, and a purchase."""

import io
import re
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pypdf import PdfReader

from documents import queue
from events.followers import follow
from events.tests.log import number
from people.tests.conftest import Api, make
from quizzes.funnel import viewing
from quizzes.funnel.attribution import Attributions
from quizzes.funnel.models import Attribution
from quizzes.leads.models import Lead
from quizzes.tests.answering import ANSWERS, Device, coffee, publish

pytestmark = pytest.mark.django_db
STAGES = ("views", "started", "answered", "finished", "contact", "confirmed", "bought")


def token(page: str) -> str:
    (found,) = re.findall(rf"/q/{page}/\?\S*#(\S+)", str(mail.outbox[-1].body))
    return str(found)


def test_one_respondent_comes_from_a_view_to_a_purchase() -> None:
    contact = {"name": "none", "consents": []}
    quiz = publish(
        coffee(
            settings={"headline": "outcome", "contact": "before_result"},
            contact=contact,
            result={"coupon": "welcome"},
        )
    )
    finance, author, joe = (
        Api(make(name, *roles))
        for name, roles in (("fin", ["finance"]), ("author", ["author"]), ("joe", []))
    )
    campaign = {"code": "roasters--WELCOME", "percent": "10", "username": "fin"}
    assert finance("POST", "billing/coupons/", campaign).status_code == 201

    def stages() -> list[Any]:
        number()
        while follow(Attributions()) == 0:
            pass
        found = author("GET", f"companies/roasters/quizzes/{quiz.pk}/funnel/").json()
        assert len(found["questions"]) == 5
        return [found[name] for name in STAGES] + found["revenue"]

    def post(path: str, **body: Any) -> None:
        answer = Client().post(f"/api/v1/q/{path}", body, "application/json")
        assert answer.status_code in (200, 204), answer.content

    assert stages() == [0] * 7
    post("coffee/views/", ref="mail")
    viewing.flush()
    device = Device()
    device.save({}, at="roast")
    assert stages() == [1, 1, 0, 0, 0, 0, 0]
    device.save(times={"roast": 60_000})
    assert stages() == [1, 1, 1, 0, 0, 0, 0]
    assert device.finish().status_code == 201
    assert stages() == [1, 1, 1, 1, 0, 0, 0]
    # A preview is nowhere.
    preview = Device()
    preview.save(ANSWERS, times={"roast": 60_000}, test=True)
    assert preview.finish().status_code == 201
    given = {"email": "joe@example.com", "consents": {}, "texts": {}}
    assert device.send("POST", "contact/", given).status_code == 202
    queue.work()
    assert stages() == [1, 1, 1, 1, 1, 0, 0]
    link = token("confirm")
    for _ in range(2):
        post("confirm/", token=link)
    queue.work()
    assert stages() == [1, 1, 1, 1, 1, 1, 0]
    result = mail.outbox[-1]
    (code,) = re.findall(r"\b(?:[A-Z2-9]{4}-){2}[A-Z2-9]{4}\b", str(result.body))
    ((_name, pdf, _media),) = result.attachments
    assert code in PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    # The campaign's own code is nobody's but whose name it has.
    bought = {"item": "beans", "price": "20.00", "quantity": 2}
    refused = joe("POST", "billing/purchases/", {"purchase": bought, "coupon": "ROASTERS--WELCOME"})
    assert refused.json()["errors"][0]["code"] == "coupon_invalid"
    # A coupon may be a present: the purchase is still of its result.
    ann = Api(make("ann"))
    for status in (201, 409):
        answer = ann("POST", "billing/purchases/", {"purchase": bought, "coupon": code})
        assert answer.status_code == status, answer.content
        bought = {**bought, "quantity": 3}
    assert stages() == [1, 1, 1, 1, 1, 1, 1, {"currency": "EUR", "total": "40.00"}]
    # By itself it would be at the beginning of the test's transaction.
    bought = {"item": "cup", "price": "5.00", "timestamp": timezone.now().isoformat()}
    assert joe("POST", "purchases/", bought).status_code == 201
    before = stages()
    assert before[-1] == {"currency": "EUR", "total": "45.00"}
    assert set(Attribution.objects.values_list("via", flat=True)) == {"coupon", "address"}
    purchases = set(Attribution.objects.values_list("pk", flat=True))
    with transaction.atomic():
        owner = Api(make("owner", "admin"))
        lead = Lead.objects.get()
        assert owner("DELETE", f"companies/roasters/leads/{lead.pk}/").status_code == 202
    assert stages() == before
    assert not purchases & set(Attribution.objects.values_list("pk", flat=True))
