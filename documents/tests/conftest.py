"""Stores, accounts and a kind of document of the tests' own."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress

from accounts.models import User
from documents.models import Document
from documents.storage import DocumentStorage, store
from tests.s3 import S3, s3_server


@pytest.fixture(scope="session")
def s3_for_all() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(s3_for_all: S3) -> S3:
    """An empty bucket that can be reached."""
    s3_for_all.wire.set("open")
    for name in s3_for_all.names():
        s3_for_all.client.delete_object(Bucket="documents", Key=name)
    return s3_for_all


def use(settings: Any, kind: str, folder: Path, s3: S3 | None = None) -> DocumentStorage:
    """Let documents be stored there; return the storage."""
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "documents.storage.DocumentStorage",
            "OPTIONS": {
                "kind": kind,
                "location": str(folder),
                "s3": s3.options if s3 is not None else {},
            },
        }
    }
    assert store.kind == kind
    return store


@pytest.fixture
def joe(db: Any) -> User:
    user = User.objects.create(username="joe", email="joe@example.com", userid="005")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


@pytest.fixture
def stored(joe: User, tmp_path: Path) -> Callable[..., Document]:
    """Return a function that stores a statement's file as a worker does, and returns its row."""

    def make(content: bytes, **fields: Any) -> Document:
        name = f"2026/11/{uuid.uuid4()}-{uuid.uuid4().hex}.pdf"
        source = tmp_path / "source"
        source.write_bytes(content)
        store.put(name, source)
        row: dict[str, Any] = {
            "kind": "statement",
            "requested_by": joe,
            "since": "2024-05-01",
            "until": "2024-05-31",
            "status": Document.Status.SENT,
            "rendered_at": "2024-06-01T00:00:00Z",
            "file": name,
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        document = Document.objects.create(**row | fields)
        document.refresh_from_db()
        return document

    return make
