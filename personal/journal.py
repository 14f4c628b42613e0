"""The journal: what a restore of an older backup must not undo.

Each erasure and each revoked credential is a line of a file, written and synced before the change
commits. The folder is copied into each backup, and a restore replays all journals that it finds.

An id could belong to another account after a restore, so a line also has the moment at which the
account was made.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.utils import timezone

from shop.core.times import iso

ERASED, REVOKED = "erased", "revoked"


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
