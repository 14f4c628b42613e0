"""The admin's list of reports and its one action."""

from typing import Any

import pytest
from django.test import Client

from reports.models import Report
from reports.tests.conftest import make_user
from shop.celery import app

pytestmark = pytest.mark.django_db
URL = "/admin/reports/report/"


def test_failed_report_is_queued_again(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(app, "send_task", lambda name, **options: sent.append(options["kwargs"]))
    user = make_user("root", is_staff=True, is_superuser=True)
    client.force_login(user)
    report = Report.objects.create(
        requested_by=user, kind="sales", since="2024-01-01", until="2024-01-02", status="failed"
    )
    report.refresh_from_db()
    assert b"queue_again" in client.get(URL).content
    chosen = {"action": "queue_again", "_selected_action": [str(report.pk)]}
    assert client.post(URL, chosen).status_code == 302
    report.refresh_from_db()
    assert report.status == Report.Status.QUEUED
    assert sent == [{"report_id": str(report.pk)}]
    assert client.get(f"{URL}{report.pk}/change/").status_code == 200


def test_customers_do_not_enter(client: Client) -> None:
    client.force_login(make_user("joe"))
    assert client.get(URL).status_code == 302
