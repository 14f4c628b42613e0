"""Mails about exports and erasures, to the account's address, in its language."""

from datetime import datetime
from typing import Any

from allauth.account.adapter import get_adapter

from accounts.models import User


def mail(user: User, event: str, **context: Any) -> None:
    """Queue the mail about an event, if the account has an address."""
    if user.email:
        filled = {"user": user, "username": user.username, **context}
        get_adapter().send_mail(f"account/email/{event}", user.email, filled)


def day_of(moment: datetime) -> str:
    """Return the day of a moment for a mail."""
    return f"{moment:%Y-%m-%d}"
