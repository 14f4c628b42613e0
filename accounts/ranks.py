"""Whom an account may administer: nobody who may do what it may not.

A permission in the admin says what somebody may do, and not to whom. Without this, staff that may
change accounts could take over a superuser's.
"""

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet

from accounts.models import User


def within_reach(actor: Any) -> QuerySet[User]:
    """Return the accounts that ``actor`` may administer.

    For a superuser these are all. For others they are those without a permission that the actor
    lacks. A deactivated account counts with what it could do again.
    """
    accounts = User.objects.all()
    if actor.is_superuser:
        return accounts
    held = Permission.objects.filter(Q(user=actor) | Q(group__user=actor))
    beyond = Permission.objects.exclude(pk__in=held.values("pk"))
    return accounts.filter(is_superuser=False).exclude(
        Q(user_permissions__in=beyond) | Q(groups__permissions__in=beyond)
    )


def reaches(actor: Any, account: User) -> bool:
    """Return whether ``actor`` may administer this account."""
    return bool(actor.is_superuser) or within_reach(actor).filter(pk=account.pk).exists()
