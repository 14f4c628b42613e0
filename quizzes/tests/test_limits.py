"""Limits of respondents: work is asked for first, and nobody is stopped in the middle of a quiz."""

import base64
import json
from typing import Any

import altcha
import pytest
from django.test import Client

from accounts.quotas import TooManyRequests
from quizzes.answering.hooks import Facts, admit
from quizzes.answering.models import Attempt, Result
from quizzes.funnel import limits
from quizzes.tests.answering import Device, errors, publish

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quickly_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.captcha.challenges.COST", 1)


class FairDevice(Device):
    """A device at a trade fair, whose network has one address."""

    address = "192.0.2.1"
    challenge = ""

    def send(self, method: str, more: str, body: Any) -> Any:
        if self.fast:
            return super().send(method, more, body)
        headers = {"Authorization": f"Attempt {self.secret}", "Challenge": self.challenge}
        return Client().generic(
            method,
            self.path(more),
            json.dumps(body),
            content_type="application/json",
            headers=headers,
            REMOTE_ADDR=self.address,
        )


def solved(slug: str = "coffee") -> str:
    """Return the solution of a challenge, as a device finds it."""
    answer = Client().get(f"/api/v1/q/{slug}/challenge/")
    assert answer.status_code == 200, answer.content
    assert not answer.cookies
    solution = altcha.solve_challenge(altcha.Challenge.from_dict(answer.json()))
    assert solution is not None
    payload = {"challenge": answer.json(), "solution": solution.to_dict()}
    return base64.b64encode(json.dumps(payload).encode()).decode()


def said(answer: Any) -> tuple[int, str]:
    return answer.status_code, errors(answer)[0][0] if answer.status_code >= 400 else ""


def test_a_trade_fair_behind_one_address_gets_through_by_work(site_settings: Any) -> None:
    site_settings.quiz_attempts_free, site_settings.quiz_finishes_free = 2, 3
    publish()
    publish(slug="tea")
    first, second, third = (FairDevice() for _ in range(3))
    for device in (first, second):
        assert said(device.save()) == (201, "")
    assert said(third.save()) == (428, "challenge_required")
    # The fast path says the same, and a repeated save of who began costs nothing.
    fast = FairDevice(fast=True)
    for _ in range(2):
        Device(fast=True).save()
    assert said(fast.save()) == (428, "challenge_required")
    assert said(first.save()) == (200, "")
    # A solution is good once, and for its quiz.
    third.challenge = solved("tea")
    assert said(third.save()) == (428, "challenge_required")
    third.challenge = payload = solved()
    assert said(third.save()) == (201, "")
    third.challenge = ""
    assert said(third.save()) == (200, "")
    other = FairDevice()
    for wrong in (payload, "x", payload[:-8]):
        other.challenge = wrong
        assert said(other.save()) == (428, "challenge_required")
    other.challenge = ""
    # Others are other networks; of IPv6 each /64 is one.
    six = [FairDevice() for _ in range(3)]
    for device, address in zip(six, ("2001:db8::1", "2001:db8::2", "2001:db8::3"), strict=True):
        device.address = address
    assert [said(device.save())[0] for device in six] == [201, 201, 428]
    six[2].address = "2001:db8:0:1::1"
    assert said(six[2].save()) == (201, "")
    assert Attempt.objects.filter(pk=other.id).count() == 0
    # With or without work there is an end.
    for _ in range(17):
        device = FairDevice()
        device.challenge = solved()
        assert said(device.save()) == (201, "")
    device = FairDevice()
    device.challenge = solved()
    refused = device.save()
    assert said(refused) == (429, "throttled")
    assert 0 < int(refused.headers["Retry-After"]) <= 600
    # Who is in the middle of a quiz goes on, and finishes; only the fourth has to do a sum.
    for each in (first, second, third):
        assert said(each.finish()) == (201, "")
        assert said(each.finish()) == (200, "")
    six[0].address = first.address
    assert said(six[0].finish()) == (428, "challenge_required")
    six[0].challenge = solved()
    assert said(six[0].finish()) == (201, "")
    assert Result.objects.count() == 4


def test_an_attempt_is_saved_at_an_even_pace_and_leaves_few_addresses(site_settings: Any) -> None:
    site_settings.quiz_saves_per_minute = 120
    quiz = publish()
    device = Device()
    answers = [device.save() for _ in range(limits.SAVES_BURST + 2)]
    statuses = [answer.status_code for answer in answers]
    assert statuses[: limits.SAVES_BURST] == [201] + [200] * (limits.SAVES_BURST - 1)
    assert statuses[-1] == 429
    assert answers[-1].headers["Retry-After"] == "1"
    assert Device().save().status_code == 201
    facts = Facts("contact", quiz.slug, quiz.pk, device.id, "address:192.0.2.1")
    for _ in range(3):
        admit(facts)
    with pytest.raises(TooManyRequests):
        admit(facts)


def test_a_challenge_is_for_a_published_quiz() -> None:
    assert Client().get("/api/v1/q/coffee/challenge/").status_code == 404
