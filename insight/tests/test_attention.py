"""What needs attention, as each role sees it."""

from datetime import date, timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.models import OutgoingMail, User
from accounts.permissions import GIVEN_ROLES
from events import attention as of_events
from insight import remembered
from reports.models import Report

pytestmark = pytest.mark.django_db

FAILED_MAILS = "Mails about accounts that failed today"
WAITING_MAILS = "Mails about accounts that wait"
FAILED_REPORTS = "Reports that failed this week"
WAITING_REPORTS = "Reports that wait for a worker"
LATE_FEED = "The live feed is late"


def _page(*roles: str, path: str = "/dashboard/figures/", **fields: object) -> str:
    remembered.forget()
    cache.clear()
    name = "-".join(roles) or "boss"
    user = User.objects.filter(username=name).first() or User(username=name, userid=name, **fields)
    user.give_roles(list(roles))
    user.save()
    client = Client()
    client.force_login(user)
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def _mail(**fields: object) -> None:
    OutgoingMail.objects.create(recipient="a@example.com", subject="Hello", **fields)


def _report(**fields: object) -> None:
    requested_by, _ = User.objects.get_or_create(username="joe", defaults={"userid": "joe"})
    period = {"since": date(2026, 1, 1), "until": date(2026, 1, 31)}
    Report.objects.create(kind="statement", requested_by=requested_by, **period, **fields)


def test_what_failed_or_waits_is_counted(monkeypatch) -> None:
    monkeypatch.setattr(of_events, "check_relay", lambda: None)
    now = timezone.now()
    assert "Nothing waits." in _page(is_staff=True)
    # None of these needs attention.
    _mail(status="failed", finished_at=now - timedelta(days=3))
    _mail(status="sent", finished_at=now)
    _mail(status="queued")
    _report(status="sent")
    _report(status="failed", created_at=now - timedelta(days=30))
    _report(status="queued")
    assert "Nothing waits." in _page(is_staff=True)

    _mail(status="failed", finished_at=now)
    _mail(status="queued", created_at=now - timedelta(minutes=30))
    _report(status="failed")
    _report(status="queued", next_attempt_at=now - timedelta(minutes=30))
    page = _page(is_staff=True)
    for label in (FAILED_MAILS, WAITING_MAILS, FAILED_REPORTS, WAITING_REPORTS):
        assert label in page
    assert "Nothing waits." not in page


def test_a_relay_that_does_not_lead_needs_attention() -> None:
    # No relay runs beside the test.
    assert LATE_FEED in _page(is_staff=True)


def test_everybody_sees_only_what_is_theirs_to_mend() -> None:
    now = timezone.now()
    _mail(status="failed", finished_at=now)
    _report(status="failed")
    _report(status="queued", next_attempt_at=now - timedelta(minutes=30))
    seen = {}
    for role in GIVEN_ROLES:
        if role in ("client", "author"):
            continue
        page = _page(role)
        seen[role] = {
            label
            for label in (FAILED_MAILS, FAILED_REPORTS, WAITING_REPORTS, LATE_FEED)
            if label in page
        }
    assert seen == {
        "support": {FAILED_REPORTS},
        "finance": {FAILED_REPORTS},
        "analyst": {FAILED_REPORTS},
        "operator": {WAITING_REPORTS, LATE_FEED},
        "auditor": {FAILED_REPORTS, WAITING_REPORTS, LATE_FEED},
        "admin": {FAILED_MAILS, FAILED_REPORTS, WAITING_REPORTS, LATE_FEED},
    }


def test_the_navigation_says_how_many_things_wait(monkeypatch) -> None:
    monkeypatch.setattr(of_events, "check_relay", lambda: None)
    assert 'class="count"' not in _page(path="/purchases/", is_staff=True)
    _report(status="failed")
    page = _page(path="/purchases/", is_staff=True)
    assert '<span class="count"><data class="number" value="1">1</data></span>' in page


def test_staff_land_on_the_dashboard_and_customers_in_the_shop() -> None:
    for name, fields, landing in (
        ("boss", {"is_staff": True}, "/dashboard/"),
        ("joe", {}, "/"),
    ):
        user = User.objects.create(username=name, userid=name, **fields)
        user.set_password("orchid-lamp-42")
        user.save()
        signing_in = {"login": name, "password": "orchid-lamp-42"}
        answer = Client().post("/accounts/login/", signing_in)
        assert (answer.status_code, answer["Location"]) == (302, landing)
        answer = Client().post("/accounts/login/?next=/purchases/", signing_in)
        assert answer["Location"] == "/purchases/"


def test_the_admin_shows_mails_without_their_texts() -> None:
    mail = OutgoingMail.objects.create(
        recipient="a@example.com", subject="Reset", body="https://shop.example/key/let-me-in"
    )
    boss = User.objects.create(username="root", userid="root", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(boss)
    for path in ("", f"{mail.pk}/change/"):
        answer = client.get(f"/admin/accounts/outgoingmail/{path}")
        assert answer.status_code == 200
        assert b"a@example.com" in answer.content
        assert b"let-me-in" not in answer.content
