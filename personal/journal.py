"""The journal: what a restore of an older backup must not undo.

Each erasure, each revoked credential and whatever lets nobody in any more is a line of a file. The
folder is copied into each backup, and a restore replays all journals that it finds.

An id could belong to another account after a restore, so a line also has the moment at which the
account was made.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from shop.core.times import iso

logger = structlog.get_logger(__name__)

ERASED, REVOKED, REMOVED, CHANGED = "erased", "revoked", "removed", "changed"


def journal_note(entry: Mapping[str, Any]) -> None:
    """Append an entry after the commit, because a full disk must not keep a credential good."""

    def append() -> None:
        try:
            journal_append([entry])
        except OSError as error:
            # The change is made. Only a restore of an older backup would undo it.
            logger.error("journal.failed", reason=str(error))

    transaction.on_commit(append)


def journal_append(entries: Iterable[Mapping[str, Any]]) -> None:
    """Append entries and wait until they are on the disk. Raise ``OSError``."""
    moment = iso(timezone.now())
    lines = "".join(json.dumps({"at": moment, **entry}) + "\n" for entry in entries)
    if not lines:
        return
    folder = Path(settings.JOURNAL_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{moment[:7]}.jsonl"
    created = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        # A write of several processes at once could be torn on some file systems.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        data = lines.encode()
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if created:
        parent = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)


def journal_read(files: Iterable[IO[str]]) -> Iterator[dict[str, Any]]:
    """Yield the entries of journals; a line that a crash has torn is left out."""
    for file in files:
        for line in file:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry


def journal_files() -> list[Path]:
    """Return the files of this site's journal, oldest first."""
    return sorted(Path(settings.JOURNAL_DIR).glob("*.jsonl"))
