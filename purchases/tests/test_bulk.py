"""Bulk requests: the identity of lines, the ends of uploads, and the privacy of dry runs."""

import json
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from typing import Any

import pytest
from django.test import Client

from accounts.access import Caller
from events.models import Outbox
from purchases.bulk import ClientGone, TooSlow, Upload, record_lines
from purchases.entries import Entry
from purchases.models import Purchase
from purchases.models import Upload as UploadRow
from purchases.services import record_purchases
from purchases.tests.callers import WHEN, Api
from purchases.validation import parse_purchase

pytestmark = pytest.mark.django_db
NDJSON = "application/x-ndjson"


def send(api: Api, *lines: Any, query: str = "", key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    body = "".join(f"{json.dumps(line)}\n" for line in lines)
    return api.post(f"/api/v1/purchases/bulk/{query}", body, NDJSON, **headers)


def counts(answer: Any) -> tuple[int, int, int]:
    result = answer.json()
    return result["recorded"], result["duplicates"], result["rejected"]


@pytest.mark.parametrize(
    "other",
    [
        [{"price": 1}, {"price": 3}],
        [{"price": 1}],
        [{"price": 1}, {"price": 2}, {"price": 3}],
        [{"price": -1}, {"price": -1}, {"price": 3}],
    ],
)
def test_a_used_key_with_another_body_is_refused_as_a_whole(alice: Api, other: list[Any]):
    lines = [{"price": 1}, {"price": 2}]
    assert counts(send(alice, *lines, key="k")) == (2, 0, 0)
    for query in ("", "?dry_run=1"):
        refused = send(alice, *other, key="k", query=query)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["code"] == "idempotency_key_reused"
    assert Purchase.objects.count() == 2
    again = send(alice, *lines, key="k")
    assert counts(again) == (0, 2, 0)
    assert again["Idempotent-Replayed"] == "true"


def test_a_key_whose_lines_were_all_bad_is_used_too(alice: Api):
    first = send(alice, {"price": -1}, key="k")
    assert counts(first) == (0, 0, 1)
    assert "Idempotent-Replayed" not in first
    assert send(alice, {"price": 1}, key="k").status_code == 422
    assert counts(send(alice, {"price": -1}, key="k")) == (0, 0, 1)
    assert send(alice, {"price": -1}, key="k", query="?count_equal=1").status_code == 422


def test_a_bulk_key_names_nothing_that_a_single_key_can(alice: Api):
    for name in ("k:1", "k:2"):
        assert alice.buy(key=name, timestamp=None).status_code == 201
    assert counts(send(alice, {"price": 9}, {"price": 8}, key="k")) == (2, 0, 0)
    assert alice.buy(key="k", timestamp=None).status_code == 201


def test_an_upload_of_the_version_before_is_known_again(alice: Api):
    """That version gave the second line of a request with the key ``k`` the key ``k:2``."""
    lines = [{"price": number} for number in range(1, 2500)]
    now = datetime.now(UTC)
    caller = Caller.of(alice.user)
    record_purchases(
        [
            Entry(caller, parse_purchase(line, now=now), f"k:{number}")
            for number, line in enumerate(lines, 1)
        ]
    )
    assert counts(send(alice, *lines, key="k")) == (0, 2499, 0)
    assert counts(send(alice, *lines, key="k")) == (0, 2499, 0)


def test_a_key_column_is_the_identity_of_a_line(alice: Api, bob: Api):
    lines = [
        {"price": 1, "id": "a"},
        {"price": 1, "id": "b"},
        {"price": 1, "id": 7},
        {"price": 1, "id": "7"},
        {"price": 2, "id": "a"},
        {"price": 1},
        {"price": 1, "id": True},
        {"price": 1, "id": "x\u001fy"},
        {"price": 1, "id": "y" * 256},
    ]
    answer = send(alice, *lines, query="?key=id")
    assert counts(answer) == (3, 1, 5)
    codes = [error["errors"][0]["code"] for error in answer.json()["errors"]]
    assert codes == ["idempotency_key_reused", *["invalid_key"] * 4]
    assert counts(send(alice, *lines, query="?key=id")) == (0, 4, 5)
    assert counts(send(bob, *lines[:2], query="?key=id")) == (2, 0, 0)
    assert counts(send(alice, {"price": 1, "id": "a", "of": "b"}, query="?key=id,of")) == (1, 0, 0)
    table = "price,Order No\n1,a\n1,=b\n1,'=b\n"
    path = "/api/v1/purchases/bulk/?key=Order No"
    assert counts(alice.post(path, table, "text/csv")) == (1, 2, 0)
    assert alice.post(path + "x", table, "text/csv").status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "?key=",
        "?key=a,",
        "?key=a,a",
        "?key=a,b,c,d,e,f",
        f"?key={'a' * 101}",
        '?key="',
        "?key=a&count_equal=1",
    ],
)
def test_options_that_make_no_sense_are_refused(alice: Api, query: str):
    assert send(alice, {"price": 1, "a": 1}, query=query).status_code == 400
    assert send(alice, {"price": 1}, query="?count_equal=2").status_code == 400


def test_equal_lines_are_counted_where_asked(alice: Api):
    line = {"price": 1, "timestamp": WHEN}
    timeless = {"price": 1}
    assert counts(send(alice, line, line)) == (1, 1, 0)
    query = "?count_equal=1"
    assert counts(send(alice, line, timeless, line, line, timeless, query=query)) == (4, 1, 0)
    assert counts(send(alice, line, timeless, line, line, timeless, query=query)) == (0, 5, 0)
    assert counts(send(alice, *[line] * 2100, query=query)) == (2097, 3, 0)
    assert counts(send(alice, *[line] * 2100, query=query + "&dry_run=1")) == (0, 2100, 0)


def test_a_dry_run_reveals_no_purchases_of_others(
    alice: Api,
    till: Api,
    staff: Api,
):
    alice.buy(price="7.77")
    guess = {
        "item": "book",
        "price": "7.77",
        "timestamp": WHEN,
        "userid": alice.user.userid,
        "username": alice.user.username,
    }
    lines = [guess, guess | {"price": "8"}, guess | {"price": "8"}]
    assert counts(send(till, *lines, query="?dry_run=1")) == (2, 1, 0)
    assert counts(send(staff, *lines, query="?dry_run=1")) == (1, 2, 0)
    assert counts(send(alice, *lines, query="?dry_run=1")) == (1, 2, 0)
    assert Purchase.objects.count() == Outbox.objects.count() == 1
    assert counts(send(till, *lines)) == (1, 2, 0)
    assert counts(send(till, *lines, query="?dry_run=1")) == (1, 2, 0)


def test_a_dry_run_takes_no_key(alice: Api):
    for _ in range(2):
        assert counts(send(alice, {"price": 1}, query="?dry_run=1", key="k")) == (1, 0, 0)
    assert not UploadRow.objects.exists()
    assert counts(send(alice, {"price": 2}, key="k")) == (1, 0, 0)


def test_an_upload_ends_when_its_client_or_its_time_is_gone(alice: Api):
    caller = Caller.of(alice.user)
    asked = 0

    def lines():
        for number in range(1, 50_000):
            yield number, {"price": "1"}

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked > 5

    with pytest.raises(ClientGone):
        record_lines(lines(), Upload(caller=caller, stopped=stopped))
    with pytest.raises(TooSlow):
        record_lines(lines(), Upload(caller=caller, seconds=0))
    assert not Purchase.objects.exists()


def test_a_client_that_left_is_no_longer_worked_for(alice: Api):
    client = Client(headers=alice.headers)
    path = "/api/v1/purchases/bulk/"
    environ: Any = {"shop.stopped": lambda: True}
    answer = client.post(path, '{"price": 1}\n' * 3, NDJSON, **environ)
    assert answer.status_code == 503
    with SpooledTemporaryFile() as body:
        body.write(b'{"price": 1}\n')
        body.seek(0)
        environ = {"wsgi.input": body, "CONTENT_LENGTH": "13", "CONTENT_TYPE": NDJSON}
        assert counts(client.post(path, "", NDJSON, **environ)) == (1, 0, 0)
