"""Where the files of documents are kept: in a folder, or in an S3-compatible store.

``DOCUMENT_STORAGE`` names the one that takes new files. The site still reads the other, if it is
configured too, so that ``manage.py move_documents`` can run beside the site.

A store holds whole files only, and raises ``FileNotFoundError`` for a missing one. Any other
``OSError`` means an outage of the store.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Protocol, cast

from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage, default_storage

FOLDER, S3 = "file", "s3"


class Store(Protocol):
    """The operations of a store."""

    def open(self, name: str) -> IO[bytes]:
        """Return the file, which can be sought in."""

    def put(self, name: str, source: Path) -> None:
        """Store a copy of ``source``, whole or not at all."""

    def delete(self, name: str) -> None:
        """Remove the file; do nothing where it does not exist."""

    def exists(self, name: str) -> bool:
        """Return whether the file exists."""

    def clear(self, prefix: str) -> None:
        """Remove all files whose names begin with ``prefix``, unfinished ones too."""

    def check(self) -> None:
        """Raise ``OSError`` where no file can be stored now."""


class FolderStore:
    """Files in a folder."""

    def __init__(self, location: str | Path) -> None:
        self._files = FileSystemStorage(location=location, base_url=None)

    def path(self, name: str) -> Path:
        """Return the file's path; raise ``SuspiciousFileOperation`` for one outside the folder."""
        return Path(self._files.path(name))

    def open(self, name: str) -> IO[bytes]:
        return self.path(name).open("rb")

    def put(self, name: str, source: Path) -> None:
        target = self.path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        try:
            with source.open("rb") as read, partial.open("wb") as written:
                shutil.copyfileobj(read, written, 1024 * 1024)
                written.flush()
                os.fsync(written.fileno())
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    def delete(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def exists(self, name: str) -> bool:
        return self.path(name).exists()

    def clear(self, prefix: str) -> None:
        start = self.path(prefix)
        for pattern in (f"{start.name}*", f".{start.name}*"):
            for path in start.parent.glob(pattern):
                path.unlink(missing_ok=True)

    def check(self) -> None:
        folder = self.path("")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


class DocumentStorage(Storage):
    """Both stores as one Django storage: the store for new files first, then the other."""

    def __init__(self, kind: str, location: str | Path, s3: Mapping[str, str]) -> None:
        self.stores: dict[str, Store] = {FOLDER: FolderStore(location)}
        if s3.get("bucket"):
            # The library is an extra, which only sites with an S3 store need.
            from documents.s3 import S3Store

            self.stores[S3] = S3Store(**s3)
        if kind not in self.stores:
            raise ImproperlyConfigured("DOCUMENT_STORAGE is s3, and S3_BUCKET is not set.")
        self.kind = kind

    @property
    def first(self) -> Store:
        """Return the store that takes new files."""
        return self.stores[self.kind]

    def _in_order(self) -> Iterator[Store]:
        yield self.first
        yield from (store for store in self.stores.values() if store is not self.first)

    def _until_found(self) -> Iterator[Store]:
        yield from self._in_order()
        if len(self.stores) > 1:
            # A file may have moved from the second store to the first between the two look-ups.
            yield self.first

    def read(self, name: str) -> IO[bytes]:
        """Return the file, which can be sought in, from whichever store has it."""
        for store in self._until_found():
            try:
                return store.open(name)
            except FileNotFoundError:
                continue
        raise FileNotFoundError(name)

    def _open(self, name: str, mode: str = "rb") -> "File[bytes]":
        return File(self.read(name), name)

    def _save(self, name: str, content: "File[bytes]") -> str:
        with tempfile.NamedTemporaryFile() as copy:
            for chunk in content.chunks():
                copy.write(chunk)
            copy.flush()
            self.put(name, Path(copy.name))
        return name

    def put(self, name: str, source: Path) -> None:
        """Store a copy of ``source``, whole or not at all."""
        self.first.put(name, source)

    def exists(self, name: str) -> bool:
        return any(store.exists(name) for store in self._until_found())

    def delete(self, name: str) -> None:
        for store in self._in_order():
            store.delete(name)

    def path(self, name: str) -> str:
        """Return the file's path in the folder, whether it exists or not."""
        return str(cast(FolderStore, self.stores[FOLDER]).path(name))

    def clear(self, prefix: str) -> None:
        """Remove the files whose names begin with ``prefix`` from the store for new files."""
        self.first.clear(prefix)

    def check(self) -> None:
        """Raise ``OSError`` where no file can be stored now."""
        self.first.check()


store = cast(DocumentStorage, cast(Any, default_storage))
