"""The report API, for owner, outsider, staff and anonymous."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from accounts.models import User
from documents import mailing, upkeep
from reports import services
from reports.models import Report
from reports.tests.conftest import make_user
from shop.celery import app

pytestmark = pytest.mark.django_db
URL = "/api/v1/reports/"
MAY = {"kind": "statement", "since": "2024-05-01", "until": "2024-05-31"}


@pytest.fixture
def expiring() -> list[Any]:
    """After how many seconds each message that went to the broker is dropped."""
    return []


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch, expiring: list[Any]) -> list[Any]:
    """Collect the messages to the broker."""
    messages: list[Any] = []

    def send_task(name: str, **options: Any) -> None:
        messages.append((name, options["kwargs"]))
        expiring.append(options["expires"])

    monkeypatch.setattr(app, "send_task", send_task)
    return messages


def post(client: Client, body: Any, **headers: str) -> Any:
    return client.post(URL, body, content_type="application/json", headers=headers)


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def code(response: Any) -> str:
    return response.json()["errors"][0]["code"]


def test_request_is_queued_and_announced_after_commit(
    joe: User, sent: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = post(as_user(joe), MAY)
        assert sent == []
    assert response.status_code == 202, response.content
    body = response.json()
    report = Report.objects.get()
    assert body == {
        **MAY,
        "id": str(report.pk),
        "username": "joe",
        "userid": "005",
        "status": "queued",
        "created_at": body["created_at"],
        "emailed_at": None,
        "pdf": None,
        "error": "",
    }
    assert sent == [("reports.deliver", {"report_id": str(report.pk)})]


def test_idempotency_key(joe: User, ann: User) -> None:
    client = as_user(joe)
    headers = {"Idempotency-Key": "k"}
    first, second = (post(client, MAY, **headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"]
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    other = post(client, {**MAY, "until": "2024-05-30"}, **headers)
    assert (other.status_code, code(other)) == (422, "idempotency_key_reused")
    assert post(as_user(ann), MAY, **headers).json()["id"] != first.json()["id"]


@pytest.mark.parametrize(
    ("change", "attr"),
    [
        ({"kind": "poem"}, "kind"),
        ({"since": "2024-13-01"}, "since"),
        ({"since": None}, "since"),
        ({"until": "2024-04-30"}, "until"),
        ({"since": "1900-01-01"}, "since"),
        ({"until": "2090-01-01"}, "until"),
    ],
)
def test_malformed_is_400(joe: User, change: dict[str, Any], attr: str) -> None:
    response = post(as_user(joe), {**MAY, **change})
    assert response.status_code == 400, response.content
    assert response.json()["type"] == "validation_error"
    assert response.json()["errors"][0]["attr"] == attr
    assert not Report.objects.exists()


def test_who_may_not(joe: User) -> None:
    assert post(Client(), MAY).status_code == 401
    assert post(as_user(joe), {**MAY, "kind": "sales"}).status_code == 403
    response = post(as_user(make_user("new", verified=False)), MAY)
    assert (response.status_code, code(response)) == (409, "email_not_verified")


def test_too_many_unfinished(joe: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "UNFINISHED_MAX", 1)
    client = as_user(joe)
    assert post(client, MAY).status_code == 202
    response = post(client, {**MAY, "until": "2024-05-30"})
    assert (response.status_code, code(response)) == (429, "too_many_reports")
    assert int(response.headers["Retry-After"]) > 0


def test_only_the_owner_and_staff_see_a_report(joe: User, ann: User, staff: User) -> None:
    id = post(as_user(joe), MAY).json()["id"]
    for path in (f"{URL}{id}/", f"{URL}{id}/pdf/"):
        assert Client().get(path).status_code == 401
        assert as_user(ann).get(path).status_code == 404
    assert as_user(joe).get(f"{URL}{id}/").json()["status"] == "queued"
    assert as_user(staff).get(f"{URL}{id}/").status_code == 200
    assert as_user(joe).get(f"{URL}nonsense/").status_code == 404
    response = as_user(joe).get(f"{URL}{id}/pdf/")
    assert (response.status_code, code(response)) == (409, "not_ready")


def test_sales_reports_are_lost_with_staff(staff: User) -> None:
    id = post(as_user(staff), {**MAY, "kind": "sales"}).json()["id"]
    User.objects.filter(pk=staff.pk).update(is_staff=False)
    assert as_user(staff).get(f"{URL}{id}/").status_code == 404
    assert as_user(staff).get(URL).json()["results"] == []
    Report.objects.update(status=Report.Status.READY, rendered_at=timezone.now())
    mailing.document_mail(Report.objects.get().pk)
    report = Report.objects.get()
    assert (report.status, report.error) == (Report.Status.FAILED, mailing.NO_LONGER_ALLOWED)


def test_list_has_pages_and_a_constant_query_count(
    joe: User, ann: User, django_assert_num_queries: Any
) -> None:
    def make(count: int) -> None:
        for _ in range(count):
            Report.objects.create(requested_by=joe, kind="statement", since="2024-01-01",
                                  until="2024-01-31")  # fmt: skip

    make(2)
    Report.objects.create(
        requested_by=ann, kind="statement", since="2024-01-01", until="2024-01-31"
    )
    client = as_user(joe)
    # The first request of a session notes its browser.
    assert client.get(URL).status_code == 200
    with django_assert_num_queries(3):
        assert len(client.get(URL).json()["results"]) == 2
    make(48)
    with django_assert_num_queries(3):
        assert len(client.get(URL).json()["results"]) == 50
    seen, url = [], f"{URL}?page_size=20"
    while url:
        page = client.get(url).json()
        seen += [row["id"] for row in page["results"]]
        url = page["next"]
    assert len(seen) == len(set(seen)) == 50
    assert seen == sorted(seen, reverse=True)


def test_status_and_error_as_the_outside_sees_them(joe: User) -> None:
    id = post(as_user(joe), MAY).json()["id"]
    Report.objects.update(status=Report.Status.SENDING, error="451", rendered_at=timezone.now())
    body = as_user(joe).get(f"{URL}{id}/").json()
    assert (body["status"], body["error"]) == ("ready", "451")
    assert body["pdf"] == f"{URL}{id}/pdf/"


def test_requeue_leaves_out_reports_that_may_have_been_mailed(joe: User, sent: list[Any]) -> None:
    post(as_user(joe), MAY)
    report = Report.objects.get()
    failed = Report.objects.filter(pk=report.pk)
    failed.update(status="failed", claim=report.pk, rendered_at=timezone.now())
    assert upkeep.documents_requeue([report.pk]) == 0
    failed.update(claim=None)
    assert upkeep.documents_requeue([report.pk]) == 1
    assert Report.objects.get().status == Report.Status.READY


def test_a_sweep_sends_few_messages_that_do_not_pile_up(
    joe: User, sent: list[Any], expiring: list[Any]
) -> None:
    for number in range(20):
        Report.objects.create(
            requested_by=joe, kind="statement", since="2024-01-01", until="2024-01-31",
            idempotency_key=str(number),
        )  # fmt: skip
    assert upkeep.documents_sweep() == 0
    Report.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    assert upkeep.documents_sweep() == 20
    assert len(sent) == upkeep.HINTS
    assert all(expiring)


def test_an_equal_report_that_waits_is_the_same_one(joe: User, ann: User) -> None:
    client = as_user(joe)
    first, second = post(client, MAY), post(client, MAY)
    assert second.json()["id"] == first.json()["id"]
    assert second.headers["Idempotent-Replayed"] == "true"
    # Another period, another account and a key each request another report.
    assert post(client, {**MAY, "until": "2024-05-30"}).json()["id"] != first.json()["id"]
    assert post(as_user(ann), MAY).json()["id"] != first.json()["id"]
    assert post(client, MAY, **{"Idempotency-Key": "k"}).json()["id"] != first.json()["id"]
    # A report that a worker has begun may miss new purchases.
    Report.objects.update(status=Report.Status.RENDERING, attempts=1)
    assert post(client, MAY).json()["id"] != first.json()["id"]


def test_an_account_has_a_quota_of_pages(joe: User, ann: User, site_settings: Any) -> None:
    site_settings.quota_report_pages_per_hour = 1000
    client = as_user(joe)
    post(client, MAY)
    Report.objects.update(status=Report.Status.SENT, pages=999)
    assert post(client, MAY).status_code == 202
    Report.objects.filter(pages=None).update(status=Report.Status.SENT, pages=1)
    response = post(client, MAY)
    assert (response.status_code, code(response)) == (429, "throttled")
    assert 3500 < int(response.headers["Retry-After"]) <= 3600
    assert post(as_user(ann), MAY).status_code == 202


def test_pdfs_past_their_time_or_space_are_removed(
    joe: User, ann: User, settings: Any, site_settings: Any, tmp_path: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    site_settings.reports_megabytes_per_account = 3
    site_settings.reports_keep_days = 10
    now = timezone.now()

    def stored(user: User, days: int, megabytes: int, status: str = "sent") -> Report:
        report = Report.objects.create(
            requested_by=user, kind="statement", since="2024-01-01", until="2024-01-31",
            created_at=now - timedelta(days=days), rendered_at=now - timedelta(days=days),
            status=status, size=megabytes * 1_000_000,
        )  # fmt: skip
        report.file = default_storage.save(f"test/{report.pk}.pdf", ContentFile(b"%PDF"))
        report.save()
        return report

    old, large = stored(ann, 11, 1), stored(joe, 3, 2)
    recent, waiting = stored(joe, 1, 2), stored(joe, 12, 2, "ready")
    forgotten = stored(ann, 400, 1)
    names = {report.pk: report.file for report in (old, large, recent, waiting)}
    try:
        assert upkeep.documents_purge() == {"pdfs": 3, "reports": 1}
        kept = set(Report.objects.exclude(file="").values_list("pk", flat=True))
        assert kept == {recent.pk, waiting.pk}
        assert [default_storage.exists(names[pk]) for pk in (old.pk, large.pk)] == [False, False]
        assert default_storage.exists(names[recent.pk])
        assert not Report.objects.filter(pk=forgotten.pk).exists()
        response = as_user(ann).get(f"{URL}{old.pk}/pdf/")
        assert (response.status_code, code(response)) == (410, "gone")
        assert as_user(ann).get(f"{URL}{old.pk}/").json()["pdf"] is None
        assert upkeep.documents_purge() == {"pdfs": 0, "reports": 0}
    finally:
        for name in names.values():
            default_storage.delete(name)


def test_the_page_says_when_and_for_whom(joe: User, staff: User) -> None:
    post(as_user(joe), MAY)
    created = Report.objects.get().created_at
    page = as_user(staff).get("/reports/").content.decode()
    assert f'datetime="{created:%Y-%m-%dT%H:%M}' in page
    assert "<bdi>joe</bdi>" in page
    assert "<bdi>joe</bdi></td>" not in as_user(joe).get("/reports/").content.decode()
