"""The names of erased people, which nobody may take for a year.

Otherwise somebody could sign up as a person who has left, and be taken for them; and a till that
does not know of the erasure would make the person anew.
"""

import hmac
import os
from collections.abc import Iterable, Sequence
from datetime import timedelta
from hashlib import sha256

from django.db.models.functions import Now
from django.utils import timezone

from accounts.names import fold, normalise
from personal.models import PEPPER, Pepper, Tombstone
from shop.core.sealing import seal, unseal

KEPT = timedelta(days=365)


def tombstones_place(*, username: str, userid: str) -> None:
    """Keep both names from being taken, from now on."""
    until = timezone.now() + KEPT
    Tombstone.objects.bulk_create(
        [Tombstone(digest=digest, until=until) for digest in _digests(username, userid)],
        update_conflicts=True,
        unique_fields=["digest"],
        update_fields=["until"],
    )


def erased_names(names: Sequence[tuple[str | None, str | None]]) -> set[int]:
    """Return the places of those ``(userid, username)`` of which one belonged to somebody erased.

    One query, or two while nobody was erased before.
    """
    if not Tombstone.objects.exists():
        return set()
    wanted: dict[bytes, set[int]] = {}
    for place, (userid, username) in enumerate(names):
        for digest in _digests(username, userid):
            wanted.setdefault(digest, set()).add(place)
    found = Tombstone.objects.filter(digest__in=wanted, until__gt=Now())
    return {
        place
        for digest in found.values_list("digest", flat=True)
        for place in wanted[bytes(digest)]
    }


def _digests(username: str | None, userid: str | None) -> Iterable[bytes]:
    key = _pepper()
    # Where one of the two is missing, a new customer would get the other as both.
    username, userid = (
        userid if username is None else username,
        username if userid is None else userid,
    )
    for kind, name in (
        ("username", fold(normalise(username)) if username is not None else None),
        ("userid", normalise(userid) if userid is not None else None),
    ):
        if name is not None:
            yield hmac.digest(key, f"{kind}\0{name}".encode("utf-8", "surrogatepass"), sha256)


def _pepper() -> bytes:
    """Return the key of the digests; make it if it does not exist."""
    pepper = Pepper.objects.filter(pk=1).first()
    if pepper is None:
        sealed = seal(os.urandom(32), account=1, column=PEPPER)
        pepper, _ = Pepper.objects.get_or_create(pk=1, defaults={"sealed": sealed})
    return unseal(pepper.sealed, account=1, column=PEPPER)
