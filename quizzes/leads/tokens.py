"""Tokens of mailed links.

A token is made of the lead's key and the mail's document. So the worker that writes the mail makes
it again, no table has more than its digest, and an erasure of the lead ends them all.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Now

from quizzes.leads.errors import LinkOver
from quizzes.leads.models import Lead, MailToken
from quizzes.leads.sealing import key_of

Purpose = MailToken.Purpose
TOKEN_LENGTH = 43
_VALID = {
    Purpose.CONFIRM: timedelta(days=14),
    Purpose.RESULT: timedelta(days=180),
    Purpose.LEAVE: timedelta(days=3 * 365),
}


def token_of(lead: Lead, document: UUID, purpose: str) -> str:
    """Return the token in a mail. Raise ``Unsealable`` where the lead is erased."""
    about = f"{purpose}|{document}".encode()
    made = hmac.new(key_of(lead), about, hashlib.sha256).digest()
    return urlsafe_b64encode(made).decode().rstrip("=")


def tokens_keep(lead: Lead, result: UUID, document: UUID, *purposes: str) -> None:
    """Make the links of a mail valid."""
    MailToken.objects.bulk_create(
        MailToken(
            sha256=_digest(token_of(lead, document, purpose)),
            lead=lead,
            result_id=result,
            purpose=purpose,
            expires_at=Now() + _VALID[Purpose(purpose)],
        )
        for purpose in purposes
    )


def token_find(token: str, purpose: str) -> MailToken:
    """Return what a link is about. Raise ``LinkOver``."""
    found = MailToken.objects.filter(
        pk=_digest(token), purpose=purpose, expires_at__gt=Now()
    ).first()
    if found is None:
        raise LinkOver()
    return found


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
