"""Quotas of one account: on both paths of a purchase, on sockets and on reports."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.quotas import Quota


def test_a_quota_allows_a_minutes_burst_and_then_its_rate() -> None:
    quota = Quota[int]()
    assert [quota.take(1, 60, now=100.0) for _ in range(60)] == [0.0] * 60
    assert quota.take(1, 60, now=100.0) == pytest.approx(1.0)
    assert quota.take(2, 60, now=100.0) == 0.0
    assert quota.take(1, 60, now=101.0) == 0.0
    assert quota.take(1, 60, now=101.0) > 0.0
    assert [quota.take(1, 60, now=400.0) for _ in range(61)][-1] > 0.0


def test_work_that_is_done_is_paid_later() -> None:
    quota = Quota[int]()
    quota.spend(1, 90, 60, now=100.0)
    assert quota.take(1, 60, now=100.0) == pytest.approx(31.0)
    assert quota.take(1, 60, now=131.0) == 0.0
    quota.spend(2, 1e9, 60, now=100.0)
    assert quota.take(2, 60, now=100.0 + 3600 + 1) == 0.0


def test_a_quota_of_zero_sets_no_limit() -> None:
    quota = Quota[int]()
    assert not any(quota.take(1, 0, now=0.0) for _ in range(1000))


def test_the_memory_of_a_quota_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.quotas.ACCOUNTS_MAX", 100)
    quota = Quota[int]()
    for account in range(1000):
        quota.take(account, 60, now=float(account * 10))
    assert len(quota._paid_until) <= 100


@pytest.mark.django_db
def test_an_account_over_its_quota_is_told_when_to_come_back(
    client: Client, alice: User, site_settings: Any
) -> None:
    site_settings.quota_requests_per_minute = 3
    client.force_login(alice)
    answers = [client.get("/api/v1/accounts/me/") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1]["Retry-After"]) == 20
    assert answers[-1].json()["errors"][0]["code"] == "throttled"
    client.force_login(User.objects.create(username="bob", userid="bob"))
    assert client.get("/api/v1/accounts/me/").status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("query", ["", "?dry_run=1"])
def test_a_bulk_request_costs_as_much_as_its_lines(
    client: Client, alice: User, site_settings: Any, query: str
) -> None:
    site_settings.quota_requests_per_minute = 60
    client.force_login(alice)
    body = "\n".join(["price", *["1", "x"] * 5000])
    bulk = f"/api/v1/purchases/bulk/{query}"
    assert client.post(bulk, body, content_type="text/csv").status_code == 200
    answer = client.get("/api/v1/accounts/me/")
    assert answer.status_code == 429
    assert 30 < int(answer["Retry-After"]) < 60
