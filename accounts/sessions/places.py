"""Tells the owner of an account of a sign-in from somewhere new.

Somewhere is a network and a kind of browser. The first sign-in of an account tells nothing, since
its owner has just made it.
"""

import ipaddress
from datetime import timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.auth import user_logged_in
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.emails import verified_address
from accounts.models import Place, User
from accounts.reader import written_for
from accounts.sessions.agents import agent_name, family
from accounts.sessions.trace import address_of, agent_of

KEPT = timedelta(days=180)
KNOWN_MAX = 50
DAILY_MAILS = 3

_NOTE = """
INSERT INTO accounts_place AS known (user_id, digest, created_at, last_used_at)
VALUES (%s, %s, now(), now())
ON CONFLICT (user_id, digest) DO UPDATE SET last_used_at = excluded.last_used_at
RETURNING known.id, known.xmax = 0
"""


def _network(address: str | None) -> str:
    """Return the network that an address is in, as providers give them out."""
    if address is None:
        return ""
    prefix = 24 if ipaddress.ip_address(address).version == 4 else 48
    return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))


def _digests(user: User, request: HttpRequest) -> list[bytes]:
    """Return the digest of the place by the present key, and those by earlier ones."""
    where = (str(user.pk), _network(address_of(request)), *family(agent_of(request)))
    return [
        salted_hmac(
            "accounts.sessions.places", "\0".join(where), secret=key, algorithm="sha256"
        ).digest()
        for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]


def note_sign_in(sender: Any, request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    """Remember where a sign-in came from. If that is new for the account, mail its owner.

    An account gets ``DAILY_MAILS`` a day at most.
    """
    if request is None:
        return
    digest, *older = _digests(user, request)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, [user.pk, digest])
            place, is_new = cursor.fetchone()
        if is_new and not Place.objects.filter(user=user, digest__in=older).exists():
            _tell(user, request, place)


def _tell(user: User, request: HttpRequest, place: int) -> None:
    # Whoever signs in to the account from another new place at the same time waits here.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    known = Place.objects.filter(user=user)
    if not known.exclude(pk=place).exists():
        return
    told = known.filter(told_at__gt=timezone.now() - timedelta(days=1)).count()
    address = verified_address(user)
    if told < DAILY_MAILS and address is not None:
        known.filter(pk=place).update(told_at=timezone.now())
        with written_for(user):
            context = {"device": agent_name(agent_of(request)), "user": user}
        get_adapter(request).send_notification_mail(
            "account/email/new_sign_in", user, context, email=address
        )
    newest = known.order_by("-last_used_at", "-pk").values("pk")[:KNOWN_MAX]
    known.exclude(pk__in=newest).delete()


def connect() -> None:
    """Listen to sign-ins, of browsers and of programs."""
    user_logged_in.connect(note_sign_in, dispatch_uid="accounts.sessions.places")
