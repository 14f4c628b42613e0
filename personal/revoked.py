"""Revoked credentials, for the journal.

Browser sessions and JWTs are not in it, because a restore ends all of them.
"""

from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone

from accounts.models import Token, TokenKind
from personal.journal import REVOKED, journal_note
from shop.core.times import iso


@receiver(post_delete, sender=Token)
def token_deleted(instance: Token, **kwargs: Any) -> None:
    """Note a token or a key that has ended before its time."""
    now = timezone.now()
    if instance.kind != TokenKind.JWT and not (instance.expiry and instance.expiry <= now):
        _note(instance.digest, ends=now)


@receiver(post_save, sender=Token)
def token_replaced(instance: Token, created: bool, **kwargs: Any) -> None:
    """Note a key that ends soon, because another has replaced it."""
    if not created and instance.replaced_by and instance.expiry:
        _note(instance.digest, ends=instance.expiry)


def _note(digest: str, *, ends: Any) -> None:
    journal_note({"kind": REVOKED, "digest": digest, "ends": iso(ends)})
