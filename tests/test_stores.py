"""Downloads out of an S3-compatible store, through a web process, with the network cut."""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from accounts.models import Token, User
from documents.models import Document
from tests.s3 import BUCKET, S3, s3_server
from tests.system import free_port, wait_for
from tests.web import serving

CONTENT = os.urandom(6_000_000)


class Shop:
    """A web process whose documents are in a store, and two accounts."""

    def __init__(self, port: int, s3: S3) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.s3 = s3
        users = [
            User.objects.create(username=name, userid=name, email=f"{name}@example.com")
            for name in ("joe", "ann")
        ]
        self.tokens = {user.username: Token.objects.create(user)[1] for user in users}
        document = Document.objects.create(
            kind="statement",
            requested_by=users[0],
            since="2024-05-01",
            until="2024-05-31",
            status="sent",
            rendered_at="2024-06-01T00:00:00Z",
            file="2026/11/one.pdf",
            size=len(CONTENT),
            sha256=hashlib.sha256(CONTENT).hexdigest(),
        )
        document.refresh_from_db()
        s3.client.put_object(Bucket=BUCKET, Key=document.file, Body=CONTENT)
        self.path = f"/api/v1/reports/{document.pk}/pdf/"

    def stream(self, name: str, path: str, **headers: str) -> Any:
        given = {"Authorization": f"Token {self.tokens[name]}", **headers}
        return httpx.stream("GET", self.url + path, headers=given, timeout=30)

    def read_into(self, target: bytearray) -> None:
        with self.stream("joe", self.path) as answer:
            assert answer.status_code == 200
            for block in answer.iter_bytes():
                target += block

    def get(self, name: str, path: str, **headers: str) -> httpx.Response:
        with self.stream(name, path, **headers) as answer:
            answer.read()
            return answer


@pytest.fixture
def shop(transactional_db: Any) -> Iterator[Shop]:
    with s3_server() as s3:
        settings = {f"S3_{name.upper()}": value for name, value in s3.options.items()}
        port = free_port()
        with serving(port, DOCUMENT_STORAGE="s3", **settings):
            yield Shop(port, s3)


def test_downloads_through_a_network_that_is_cut(shop: Shop) -> None:
    whole = shop.get("joe", shop.path)
    assert (whole.status_code, whole.content) == (200, CONTENT)
    assert whole.headers["Content-Length"] == str(len(CONTENT))
    assert shop.get("ann", shop.path).status_code == 404
    part = shop.get("joe", shop.path, Range="bytes=1000000-2999999")
    assert (part.status_code, part.content) == (206, CONTENT[1_000_000:3_000_000])
    etag = whole.headers["ETag"]
    assert shop.get("joe", shop.path, **{"If-None-Match": etag}).status_code == 304

    # The store goes away in the middle: what has come is no whole answer, and is gone on with.
    shop.s3.wire.set("open", left=3_500_000)
    begun = bytearray()
    with pytest.raises(httpx.TransportError):
        shop.read_into(begun)
    assert 0 < len(begun) < len(CONTENT)
    away = shop.get("joe", shop.path)
    assert away.status_code == 503
    assert int(away.headers["Retry-After"]) > 0
    shop.s3.wire.set("open")
    # A store that was away is left alone for a moment.
    wait_for(lambda: shop.get("joe", shop.path, Range="bytes=0-9").status_code == 206, 10)
    rest = shop.get("joe", shop.path, Range=f"bytes={len(begun)}-", **{"If-Range": etag})
    assert rest.status_code == 206
    assert bytes(begun) + rest.content == CONTENT


def test_a_store_that_hangs_keeps_nobody_else_waiting(shop: Shop) -> None:
    assert shop.get("joe", shop.path).status_code == 200
    shop.s3.wire.set("silent")
    done = threading.Event()

    def download(_: int) -> set[int]:
        seen = set()
        while not done.is_set():
            began = time.monotonic()
            seen.add(shop.get("joe", shop.path).status_code)
            assert time.monotonic() - began < 12
        return seen

    with ThreadPoolExecutor(12) as pool:
        downloads = [pool.submit(download, number) for number in range(12)]
        waits = []
        for _ in range(20):
            began = time.monotonic()
            answer = shop.get("ann", "/api/v1/accounts/me/")
            waits.append(time.monotonic() - began)
            assert answer.status_code == 200
            time.sleep(0.2)
        done.set()
        assert set.union(*(each.result() for each in downloads)) <= {503, 429}
    assert max(waits) < 6.0
