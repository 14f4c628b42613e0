"""Which accounts an account may administer: those that may do nothing that it may not.

A permission in the admin says what its owner may do, but not to which accounts. Without ranks,
staff that may change accounts could take over a superuser's account.
"""

from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet

from accounts.models import User


def within_reach(actor: Any) -> QuerySet[User]:
    """Return the accounts that ``actor`` may administer.

    For a superuser these are all. For others they are the accounts that have no permission that the
    actor lacks. A deactivated account counts with the permissions it would have again.
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
