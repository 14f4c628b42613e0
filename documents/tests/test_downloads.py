"""Downloads: by ranges, by ETag, through a store that breaks off, and never for outsiders."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from documents.models import Document
from documents.tests.conftest import use
from tests.s3 import S3

CONTENT = os.urandom(700_000)
Stored = Callable[..., Document]


@pytest.fixture(params=["file", "s3"])
def document(
    request: pytest.FixtureRequest, settings: Any, tmp_path: Path, stored: Stored
) -> Document:
    s3 = request.getfixturevalue("s3") if request.param == "s3" else None
    use(settings, request.param, tmp_path / "stored", s3)
    return stored(CONTENT)


def get(document: Document, **headers: str) -> Any:
    client = Client()
    client.force_login(document.account)
    return client.get(f"/api/v1/reports/{document.pk}/pdf/", headers=headers)


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else bytes(response.content)


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=699990-", 699_990, 700_000),
        ("bytes=699990-9999999", 699_990, 700_000),
        ("bytes=-10", 699_990, 700_000),
        ("bytes=-9999999", 0, 700_000),
        ("bytes=0-", 0, 700_000),
        ("bytes=0-18446744073709551615", 0, 700_000),
        ("Bytes=0-99", 0, 100),
        ("bytes=300000-599999", 300_000, 600_000),
    ],
)
def test_a_range(document: Document, asked: str, start: int, stop: int) -> None:
    response = get(document, Range=asked)
    part = body(response)
    assert part == CONTENT[start:stop]
    assert response.headers["Content-Length"] == str(stop - start)
    assert response.status_code == 206
    assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/700000"


@pytest.mark.parametrize(
    "asked",
    ["bytes=5-2", "bytes=-", "bytes=a-b", "items=0-5", "bytes=0-1,5-6", "", "bytes=" + "9" * 5000],
)
def test_what_is_no_one_range_asks_for_the_whole(document: Document, asked: str) -> None:
    response = get(document, Range=asked)
    assert (response.status_code, body(response)) == (200, CONTENT)
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["Content-Type"] == "application/pdf"
    assert response.headers["Content-Length"] == "700000"
    assert response.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("asked", ["bytes=700000-", "bytes=700000-700005", "bytes=-0"])
def test_a_range_beyond_the_end_is_416(document: Document, asked: str) -> None:
    response = get(document, Range=asked)
    assert response.status_code == 416
    assert response.headers["Content-Range"] == "bytes */700000"
    assert response.json()["errors"][0]["code"] == "range_not_satisfiable"


def test_the_etag_is_compared(document: Document) -> None:
    etag = f'"{document.sha256}"'
    response = get(document, If_None_Match=etag)
    assert (response.status_code, body(response)) == (304, b"")
    assert response.headers["ETag"] == etag
    assert response.headers["Cache-Control"] == "private, no-cache"
    whole = get(document, If_None_Match='"other"')
    assert (whole.status_code, body(whole)) == (200, CONTENT)
    # A client that resumes gets a part of the same file, or the whole of a new one.
    part = get(document, Range="bytes=10-", If_Range=etag)
    assert (part.status_code, body(part)) == (206, CONTENT[10:])
    whole = get(document, Range="bytes=10-", If_Range='"other"')
    assert (whole.status_code, body(whole)) == (200, CONTENT)


def test_another_file_than_is_asked_for_is_412(document: Document) -> None:
    refused = get(document, If_Match='"other"')
    assert refused.status_code == 412
    assert refused.json()["errors"][0]["code"] == "precondition_failed"
    for headers in (
        {"If-Match": f'"{document.sha256}"'},
        # There is no date to compare with, and then the condition does not count.
        {"If-Unmodified-Since": "Wed, 21 Oct 2015 07:28:00 GMT"},
    ):
        same = get(document, **headers)
        assert (same.status_code, body(same)) == (200, CONTENT)


def test_a_head_has_the_headers_of_a_get(document: Document) -> None:
    client = Client()
    client.force_login(document.account)
    response = client.head(f"/api/v1/reports/{document.pk}/pdf/")
    assert (response.status_code, body(response)) == (200, b"")
    assert response.headers["Content-Length"] == "700000"


def test_outsiders_get_no_byte(document: Document) -> None:
    ann = User.objects.create(username="ann", email="ann@example.com")
    client = Client()
    path = f"/api/v1/reports/{document.pk}/pdf/"
    headers = {"Range": "bytes=0-9", "If-None-Match": f'"{document.sha256}"'}
    assert client.get(path, headers=headers).status_code == 401
    client.force_login(ann)
    assert client.get(path, headers=headers).status_code == 404


def test_a_file_that_was_removed_is_410_even_before_it_is_gone(document: Document) -> None:
    Document.objects.update(removed_at="2024-07-01T00:00:00Z")
    assert get(document, If_None_Match=f'"{document.sha256}"').status_code == 410


@pytest.mark.parametrize("mode", ["cut", "silent"])
def test_a_store_that_is_away_is_503(
    s3: S3, settings: Any, tmp_path: Path, stored: Stored, mode: str
) -> None:
    use(settings, "s3", tmp_path / "stored", s3)
    document = stored(CONTENT)
    s3.wire.set(mode)
    response = get(document)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert response.json()["type"] == "server_error"
