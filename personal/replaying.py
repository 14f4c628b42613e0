"""After a restore of a backup: nobody who was erased comes back, and nothing that was revoked.

It runs before anything serves. A backup may be older than an erasure, so the journals tell which
accounts to erase again, and what lets nobody in any more. What no journal tells of ends as a whole:
browser sessions and JWTs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import LiveTicket, Token, TokenKind, User
from documents.models import Document
from people.guard import LastAdmin
from personal.erasing import erase, finish
from personal.errors import Held
from personal.journal import ERASED, REVOKED
from personal.kinds import Export
from personal.models import Erasure
from personal.narrowing import narrow
from shop.core.database import no_statement_timeout
from shop.core.times import iso

logger = structlog.get_logger(__name__)
_BATCH = 1000


@dataclass(slots=True)
class Replayed:
    """How much a replay has done. ``kept`` are accounts that something holds up."""

    erased: int = 0
    revoked: int = 0
    narrowed: int = 0
    sessions: int = 0
    kept: int = 0


def journal_replay(entries: Iterable[Mapping[str, Any]]) -> Replayed:
    """Do again what the entries tell of, and end what they do not tell of. It may be repeated."""
    done = Replayed()
    accounts: dict[int, str] = {}
    ends: dict[str, str] = {}
    others: list[Mapping[str, Any]] = []
    for entry in entries:
        if entry.get("kind") == ERASED:
            accounts[int(entry["account"])] = str(entry["joined"])
        elif entry.get("kind") == REVOKED:
            digest = str(entry["digest"])
            ends[digest] = min(str(entry["ends"]), ends.get(digest, "9"))
        else:
            others.append(entry)
    with no_statement_timeout():
        _end_all(done, ends)
        done.narrowed = narrow(others)
    for account_id, joined in accounts.items():
        _erase_again(done, account_id, joined)
    return done


def _end_all(done: Replayed, ends: Mapping[str, str]) -> None:
    now = iso(timezone.now())
    # Keys that were replaced go on until their end.
    over = sorted(digest for digest, end in ends.items() if end <= now)
    with transaction.atomic():
        for start in range(0, len(over), _BATCH):
            part = Token.objects.filter(digest__in=over[start : start + _BATCH])
            done.revoked += part.delete()[0]
        for digest, end in ends.items():
            if end > now:
                Token.objects.filter(digest=digest).update(expiry=end)
        done.sessions = Session.objects.all().delete()[0]
        Token.objects.filter(kind=TokenKind.JWT).delete()
        LiveTicket.objects.all().delete()
        # No backup holds the archives.
        Document.objects.filter(kind=Export.name).exclude(file="").update(removed_at=Now(), file="")


def _erase_again(done: Replayed, account_id: int, joined: str) -> None:
    user = User.objects.filter(pk=account_id).first()
    # After a restore an id may belong to another account than the journal tells of.
    if user is None or iso(user.date_joined) != joined:
        return
    erasure, _ = Erasure.objects.get_or_create(
        account_id=account_id, cancelled_at=None, defaults={"due_at": timezone.now()}
    )
    try:
        if erase(erasure):
            done.erased += 1
    except (Held, LastAdmin) as error:
        done.kept += 1
        reason = type(error).__name__
        logger.warning("erasure.put_off", user_id=account_id, reason=reason)
        return
    erasure.refresh_from_db()
    finish(erasure)
