"""How credentials of an account end, one or all.

A session holds a digest of its account's password and of ``accounts_user.session_salt``. A new salt
ends every session, also those that have no row in ``accounts_browsersession``. Sockets and long
polls close within a minute, because the hub looks their credentials up again.
"""

import secrets
import uuid
from collections import Counter
from dataclasses import asdict, dataclass

import structlog
from allauth.core import context
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils.translation import gettext_noop

from accounts.models import BrowserSession, LiveTicket, Token, TokenKind, User
from accounts.sessions.listing import KINDS, browsers_of
from audit.context import actor_id
from audit.services import record
from shop.core.errors import NotAuthenticated, NotFound

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """How many credentials of each kind have ended."""

    browser: int = 0
    token: int = 0
    jwt: int = 0
    key: int = 0


class SignInEnded(NotAuthenticated):
    """All credentials of the account have ended while this one was made."""

    detail = gettext_noop("All sign-ins of this account have just ended. Sign in again.")


def end_credentials(
    user: User, *, keep_session: str = "", keep_token: str = "", keys: bool = True, reason: str
) -> Ended:
    """End the account's sessions, tokens, JWT grants and tickets, and with ``keys`` its keys.

    ``keep_session`` is the key of a session of this account that goes on, ``keep_token`` the digest
    of such a token. ``reason`` is a word for the log, such as ``email-verified-late``. Call it
    inside the transaction of the change.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("Credentials end inside the transaction of a change.")
    # Whoever ends credentials of one account at the same time waits here.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    browsers = sum(each.reference != keep_session for each in browsers_of(user))
    user.session_salt = secrets.token_hex(16)
    user.save(update_fields=["session_salt"])
    known = BrowserSession.objects.filter(user=user).exclude(session_key=keep_session)
    Session.objects.filter(session_key__in=known.values("session_key")).delete()
    known.delete()
    if keep_session:
        _go_on(user, keep_session)
    ended = Ended(browser=browsers, **_end_programs(user, keep=keep_token, keys=keys))
    record(
        "sessions.ended",
        object=f"account:{user.pk}",
        actor_id=actor_id(),
        after={**asdict(ended), "reason": reason},
    )
    logger.info("credentials.ended", user_id=user.pk, reason=reason, **asdict(ended))
    return ended


def hold_credentials(user: User) -> None:
    """Wait for whoever ends the account's credentials. Call it in the transaction that makes one.

    Raise ``SignInEnded`` if they have ended since ``user`` was read. Otherwise a sign-in that began
    before the end could be finished after it.
    """
    present = (
        User.objects.select_for_update(no_key=True)
        .values_list("password", "session_salt", "is_active")
        .filter(pk=user.pk)
        .first()
    )
    if present != (user.password, user.session_salt, True):
        raise SignInEnded()


def end_tokens(user: User) -> None:
    """End what was made by the account's password: its tokens, its JWT grants and its tickets.

    Its sessions end with the password by themselves. Its keys go on; see decision 0116.
    """
    _end_programs(user, keep="", keys=False)


def _end_programs(user: User, *, keep: str, keys: bool) -> dict[str, int]:
    """Delete tokens, JWT grants and tickets, and perhaps keys. Return how many by kind."""
    LiveTicket.objects.filter(user=user).exclude(token_digest=keep or "-").delete()
    doomed = Token.objects.filter(user=user).exclude(digest=keep)
    if not keys:
        doomed = doomed.exclude(kind=TokenKind.KEY)
    kinds = Counter(KINDS[TokenKind(kind)] for kind in doomed.values_list("kind", flat=True))
    doomed.delete()
    return dict(kinds)


def _go_on(user: User, session_key: str) -> None:
    """Give a session of the account the present digest, so that it goes on."""
    digest = user.get_session_auth_hash()
    session = SessionStore(session_key)
    if session.get(SESSION_KEY) != str(user.pk):
        return
    session[HASH_SESSION_KEY] = digest
    session.save()
    present = getattr(context.request, "session", None)
    if present is not None and present.session_key == session_key:
        # The request's own copy may be saved later, so it needs the digest, too, but only if the
        # change is made.
        transaction.on_commit(lambda: present.__setitem__(HASH_SESSION_KEY, digest))


@transaction.atomic
def end_one(user: User, id: uuid.UUID) -> str:
    """End the credential of the account with this id. Return its kind.

    Raise ``NotFound`` if the account has none. What was made from a token ends with it.
    """
    known = BrowserSession.objects.filter(user=user, pk=id).first()
    if known is not None:
        ended, _ = Session.objects.filter(session_key=known.session_key).delete()
        known.delete()
        LiveTicket.objects.filter(user=user, session_key=known.session_key).delete()
        kind = "browser" if ended else ""
    else:
        kind = _end_program(user, id)
    if not kind:
        raise NotFound()
    name = "session" if kind == "browser" else kind
    record(
        "session.ended",
        object=f"{name}:{id}",
        actor_id=user.pk,
        before={"kind": kind},
        account_id=user.pk,
    )
    logger.info("credential.ended", user_id=user.pk, kind=kind)
    return kind


def _end_program(user: User, id: uuid.UUID) -> str:
    token = Token.objects.filter(user=user, id=id).first()
    if token is None or not Token.objects.filter(digest=token.digest).delete()[0]:
        return ""
    LiveTicket.objects.filter(user=user, token_digest=token.digest).delete()
    return KINDS[TokenKind(token.kind)]
