"""How all credentials of an account end at once.

A session holds a digest of its account's password and of ``accounts_user.session_salt``. A new salt
ends every session, also those that this version has no row of.
"""

import secrets
from dataclasses import dataclass

import structlog
from allauth.core import context
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from knox.models import get_token_model

from accounts.models import LiveTicket, User

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """How many credentials of each kind have ended."""

    browser: int = 0
    token: int = 0
    jwt: int = 0
    key: int = 0


def end_credentials(user: User, *, keep_session: str = "", keys: bool = True, reason: str) -> Ended:
    """End the account's sessions, tokens, JWT grants and tickets, and with ``keys`` its keys.

    ``keep_session`` is the key of a session of this account that goes on. ``reason`` is a word for
    the log, such as ``email-verified-late``. Call it inside the transaction of the change. Open
    sockets close within a minute, because the hub looks their credentials up again.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("Credentials end inside the transaction of a change.")
    user.session_salt = secrets.token_hex(16)
    user.save(update_fields=["session_salt"])
    LiveTicket.objects.filter(user=user).delete()
    tokens, _ = get_token_model().objects.filter(user=user).delete()
    if keep_session:
        _go_on(user, keep_session)
    ended = Ended(token=tokens)
    logger.info("credentials.ended", user_id=user.pk, reason=reason, tokens=ended.token)
    return ended


def _go_on(user: User, session_key: str) -> None:
    """Give a session of the account the present digest, so that it goes on."""
    digest = user.get_session_auth_hash()
    session = SessionStore(session_key)
    if session.get(SESSION_KEY) != str(user.pk):
        return
    session[HASH_SESSION_KEY] = digest
    session.save()
    request = context.request
    present = getattr(request, "session", None)
    if present is not None and present.session_key == session_key:
        # The request's own copy may be saved later, so it needs the digest, too, but only if the
        # change is made.
        transaction.on_commit(lambda: present.__setitem__(HASH_SESSION_KEY, digest))
