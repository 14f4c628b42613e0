"""Revoked credentials, for the journal.

Browser sessions and JWTs are not in it, because a restore ends all of them.
"""

from typing import Any

import structlog
from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone

from accounts.models import Token, TokenKind
from personal.journal import REVOKED, journal_append

logger = structlog.get_logger(__name__)


@receiver(post_delete, sender=Token)
def token_deleted(instance: Token, **kwargs: Any) -> None:
    """Note a token or a key that has ended before its time."""
    over = instance.expiry is not None and instance.expiry <= timezone.now()
    if instance.kind != TokenKind.JWT and not over:
        transaction.on_commit(lambda: _note(instance.digest))


def _note(digest: str) -> None:
    try:
        journal_append([{"kind": REVOKED, "digest": digest}])
    except OSError as error:
        # The credential has ended. Only a restore of an older backup would bring it back.
        logger.error("journal.failed", reason=str(error))
