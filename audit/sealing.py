"""Seals waiting entries into the chain.

One process at a time seals: the one whose transaction holds the advisory lock. It takes committed
entries in the order in which they were begun, gives them the next numbers, and deletes them from
those that wait, all in one transaction. An entry of a slow transaction is sealed after others that
are younger, and none is left out.
"""

import structlog
from django.db import connection, transaction

from audit.chain import digest, members
from audit.models import FIRST_PREVIOUS, Checkpoint, Entry, Waiting
from audit.notes import Reached, is_signed_by_first_key, note_sign

logger = structlog.get_logger(__name__)

BATCH = 500
IDLE_SECONDS = 0.25
# The key of the advisory lock: "audi" in ASCII.
SEALING_LOCK = 0x61756469

_FIELDS = (
    *("at", "action", "actor_id", "account_id", "object", "before", "after"),
    *("credential", "request_id", "commitment"),
)


def seal_next() -> float:
    """Seal a batch of waiting entries; return in how many seconds to look again."""
    # All processes look, and only one that sees work asks to lead.
    if not Waiting.objects.exists():
        return IDLE_SECONDS
    return 0 if seal_waiting() == BATCH else IDLE_SECONDS


def seal_waiting() -> int:
    """Seal a batch; return the number of its entries, 0 also where another process seals."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SEALING_LOCK])
        if not (cursor.fetchone() or (False,))[0]:
            return 0
        waiting = list(Waiting.objects.order_by("pk")[:BATCH])
        if not waiting:
            return 0
        reached = chain_reached() or Reached(0, FIRST_PREVIOUS)
        entries = []
        for row in waiting:
            entry = _sealed(row, reached)
            entries.append(entry)
            reached = Reached(entry.seq, entry.hash)
        Entry.objects.bulk_create(entries)
        Checkpoint.objects.create(seq=reached.seq, note=note_sign(reached))
        Waiting.objects.filter(pk__in=[row.pk for row in waiting]).delete()
    logger.info("audit.sealed", entries=len(entries), seq=reached.seq, hash=reached.hash)
    return len(entries)


def chain_reached() -> Reached | None:
    """Return how far the chain reaches, or ``None`` while it is empty."""
    last = Entry.objects.order_by("-seq").values_list("seq", "hash").first()
    return Reached(*last) if last else None


def checkpoint_latest() -> str | None:
    """Return the newest signed note, or ``None`` while the chain is empty.

    If the key or the site's name has changed since, sign a new one.
    """
    checkpoint = Checkpoint.objects.order_by("-pk").first()
    if checkpoint is None or is_signed_by_first_key(checkpoint.note):
        return checkpoint.note if checkpoint else None
    with transaction.atomic():
        reached = chain_reached()
        if reached is None or reached.seq < checkpoint.seq:
            # A chain that lost its end is not vouched for.
            return checkpoint.note
        return Checkpoint.objects.create(seq=reached.seq, note=note_sign(reached)).note


def _sealed(row: Waiting, reached: Reached) -> Entry:
    seq = reached.seq + 1
    return Entry(
        seq=seq,
        key=row.pk,
        previous=reached.hash,
        hash=digest(members(row, seq=seq, previous=reached.hash)),
        **{name: getattr(row, name) for name in _FIELDS},
    )
