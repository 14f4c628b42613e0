"""The two stores: whole files or none, and outages."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from documents import s3 as s3_module
from documents.s3 import S3Store, StoreAway
from documents.storage import DocumentStorage, FolderStore, Store
from shop.core.outages import is_outage
from tests.s3 import S3

CONTENT = os.urandom(3_000_000)
NAME = "2026/11/01-a.pdf"


@pytest.fixture(params=["file", "s3"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "file":
        return FolderStore(tmp_path / "stored")
    return S3Store(**request.getfixturevalue("s3").options)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.pdf"
    path.write_bytes(CONTENT)
    return path


def test_what_is_put_is_read_and_removed(any_store: Store, source: Path) -> None:
    any_store.check()
    assert not any_store.exists(NAME)
    with pytest.raises(FileNotFoundError):
        any_store.open(NAME)
    any_store.put(NAME, source)
    assert any_store.exists(NAME)
    with any_store.open(NAME) as file:
        assert file.read() == CONTENT
        assert file.seek(-10, os.SEEK_END) == len(CONTENT) - 10
        assert file.read() == CONTENT[-10:]
        file.seek(1_500_000)
        assert file.read(100) == CONTENT[1_500_000:1_500_100]
    any_store.delete(NAME)
    any_store.delete(NAME)
    assert not any_store.exists(NAME)


def test_only_files_of_the_prefix_are_cleared(any_store: Store, source: Path) -> None:
    others = ["2026/11/02-a.pdf", "2026/10/01-a.pdf"]
    for name in (NAME, "2026/11/01-b.pdf", *others):
        any_store.put(name, source)
    any_store.clear("2026/11/01-")
    any_store.clear("2026/09/01-")
    assert not any_store.exists(NAME)
    assert not any_store.exists("2026/11/01-b.pdf")
    assert all(any_store.exists(name) for name in others)


def test_a_file_larger_than_a_part_is_stored_whole(s3: S3, tmp_path: Path) -> None:
    content = os.urandom(s3_module.PART + 1_000_000)
    source = tmp_path / "large.pdf"
    source.write_bytes(content)
    S3Store(**s3.options).put(NAME, source)
    assert s3.content(NAME) == content


@pytest.mark.parametrize("mode", ["cut", "silent"])
@pytest.mark.parametrize(
    "ask",
    [
        lambda store, source: store.check(),
        lambda store, source: store.open(NAME),
        lambda store, source: store.exists(NAME),
        lambda store, source: store.delete(NAME),
    ],
)
def test_a_store_that_is_away_is_an_outage_in_time(
    s3: S3, source: Path, mode: str, ask: Callable[[Any, Path], Any]
) -> None:
    store = S3Store(**s3.options)
    s3.wire.set(mode)
    began = time.monotonic()
    with pytest.raises(StoreAway) as raised:
        ask(store, source)
    assert is_outage(raised.value)
    assert time.monotonic() - began < 6.0
    # The next request fails at once.
    began = time.monotonic()
    with pytest.raises(StoreAway):
        ask(store, source)
    assert time.monotonic() - began < 1.0


def test_a_file_whose_upload_was_cut_is_not_there(
    s3: S3, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = S3Store(**s3.options)
    s3.wire.set("open", left=0)
    with pytest.raises(StoreAway):
        store.put(NAME, source)
    s3.wire.set("open")
    monkeypatch.setattr(store, "_away_until", 0.0)
    store.put(NAME, source)
    assert s3.content(NAME) == CONTENT


def test_reading_goes_on_where_a_connection_was_cut(s3: S3, source: Path) -> None:
    store = S3Store(**s3.options)
    store.put(NAME, source)
    with store.open(NAME) as file:
        assert file.read(1000) == CONTENT[:1000]
        # Open connections break, but new ones succeed.
        s3.wire.set("open")
        assert file.read() == CONTENT[1000:]


def test_reading_fails_where_the_store_goes_away(s3: S3, source: Path) -> None:
    store = S3Store(**s3.options)
    store.put(NAME, source)
    with store.open(NAME) as file:
        s3.wire.set("open", left=1_500_000)
        with pytest.raises(StoreAway):
            file.read()


def test_both_stores_are_read_and_one_is_written(s3: S3, source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "stored"
    DocumentStorage("file", folder, s3.options).put(NAME, source)
    storage = DocumentStorage("s3", folder, s3.options)
    storage.put("2026/11/02-a.pdf", source)
    assert s3.names() == ["2026/11/02-a.pdf"]
    for name in (NAME, "2026/11/02-a.pdf"):
        assert storage.exists(name)
        with storage.read(name) as file:
            assert file.read() == CONTENT
        storage.delete(name)
        assert not storage.exists(name)


def test_a_file_that_is_moved_between_two_looks_is_found(
    s3: S3, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = DocumentStorage("s3", tmp_path / "stored", s3.options)
    folder, bucket = storage.stores["file"], storage.stores["s3"]
    folder.put(NAME, source)
    real = bucket.open

    def open_and_move(name: str) -> Any:
        monkeypatch.undo()
        try:
            return real(name)
        finally:
            bucket.put(name, source)
            folder.delete(name)

    monkeypatch.setattr(bucket, "open", open_and_move)
    with storage.read(NAME) as file:
        assert file.read() == CONTENT


def test_a_bucket_without_the_library_says_what_to_install(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ImproperlyConfigured, match=r"pip install -r requirements-s3\.txt"):
        DocumentStorage("file", tmp_path, s3.options)
    with pytest.raises(ImproperlyConfigured, match="S3_BUCKET"):
        DocumentStorage("s3", tmp_path, {})
