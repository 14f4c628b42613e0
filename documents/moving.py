"""Moving files from one store to the other, without losing any.

At every moment each file is whole in at least one store, and the site reads both. An interrupted
run may leave a file in both stores, which the next run finishes.
"""

import enum
import hashlib
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from documents.models import Document
from documents.storage import FOLDER, S3, Store, store

_BATCH = 200
_BLOCK = 1024 * 1024


class Moved(enum.Enum):
    """The outcome for a file."""

    MOVED = "moved"
    THERE = "there already"
    REMOVED = "removed meanwhile"
    MISSING = "missing"
    DAMAGED = "not as they were made, and left where they are"


def move_all(target: str) -> Iterator[tuple[str, Moved]]:
    """Move all files to ``target``; yield each file's name and outcome.

    Raise ``OSError`` where a store is away.
    """
    old, new = store.stores[S3 if target == FOLDER else FOLDER], store.stores[target]
    last = uuid.UUID(int=0)
    stored = Document.objects.exclude(file="").order_by("pk")
    while rows := list(stored.filter(pk__gt=last).only("pk", "file", "sha256")[:_BATCH]):
        for document in rows:
            yield document.file, _move(document, old, new)
        last = rows[-1].pk


def _move(document: Document, old: Store, new: Store) -> Moved:
    name = document.file
    if not old.exists(name):
        return Moved.THERE if new.exists(name) else _gone(document, Moved.MISSING)
    outcome = Moved.MOVED
    if not _is_whole(document, new):
        outcome = _copy(document, old, new)
    if outcome is not Moved.MOVED:
        return outcome
    # A worker sets `removed_at` before it removes the file from both stores. If `removed_at` is not
    # set after the copy, a later removal includes the copy.
    if not Document.objects.filter(pk=document.pk, file=name, removed_at=None).exists():
        new.delete(name)
        return Moved.REMOVED
    old.delete(name)
    return Moved.MOVED


def _copy(document: Document, old: Store, new: Store) -> Moved:
    with tempfile.NamedTemporaryFile(prefix="document-") as copy:
        try:
            with old.open(document.file) as file:
                digest = _digest(file, copy.file)
        except FileNotFoundError:
            return _gone(document, Moved.MISSING)
        copy.flush()
        if document.sha256 not in ("", digest):
            return Moved.DAMAGED
        new.put(document.file, Path(copy.name))
    with new.open(document.file) as file:
        if _digest(file) != digest:
            new.delete(document.file)
            return Moved.DAMAGED
    return Moved.MOVED


def _is_whole(document: Document, new: Store) -> bool:
    """Return whether an earlier run has already copied the file."""
    if not document.sha256:
        return False
    try:
        with new.open(document.file) as file:
            return _digest(file) == document.sha256
    except FileNotFoundError:
        return False


def _gone(document: Document, otherwise: Moved) -> Moved:
    same = Document.objects.filter(pk=document.pk, file=document.file, removed_at=None)
    return otherwise if same.exists() else Moved.REMOVED


def _digest(file: IO[bytes], copy: IO[bytes] | None = None) -> str:
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
        if copy is not None:
            copy.write(block)
    return digest.hexdigest()
