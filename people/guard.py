"""What nobody may do to people, whoever asks and by whatever way.

Nobody changes somebody who has a permission that they lack, and nobody gives one that they lack.
There is always an active account with ``accounts:admin``.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_noop

from accounts.access import check
from accounts.models import WITH_RIGHTS, User
from accounts.permissions import Permission, allows
from accounts.ranks import reaches
from shop.core.errors import Conflict, Forbidden

_ABOVE = gettext_noop("Nobody changes somebody who may do more than themselves.")


class LastAdmin(Conflict):
    """Afterwards no active account would have ``accounts:admin``."""

    code = "last_admin"
    detail = gettext_noop("This is the last active account that may administer accounts.")


def lock_people() -> None:
    """Wait, inside a transaction, for every other change of roles, teams and members.

    Such changes are rare, and one of them may concern all people. Call this before anything is
    written, because two changes that wait for each other's rows would both fail.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('people', 0))")


def may_give(actor: Any, mask: int) -> None:
    """Raise ``Forbidden`` if this request lacks one of these permissions, which it would give."""
    if beyond := _beyond(mask, actor.permissions):
        raise Forbidden(
            gettext_noop("Nobody gives a permission that they lack."), accepted=_first(beyond)
        )


def may_manage(actor: Any, target: User) -> None:
    """Raise ``Forbidden`` if the target has a permission that the actor lacks.

    The admin's own ranks count, too: only superusers change superusers.
    """
    may_manage_all(actor, [target])
    if target.pk != actor.pk and not reaches(actor, target):
        raise Forbidden(_ABOVE)


def may_manage_all(actor: Any, targets: Iterable[User]) -> None:
    """Raise ``Forbidden`` if one of the accounts has a permission that the actor lacks."""
    for target in targets:
        if beyond := _beyond(target.account_permissions, actor.account_permissions):
            raise Forbidden(_ABOVE, accepted=_first(beyond))


def admin_remains() -> None:
    """Raise ``LastAdmin`` if no active account has ``accounts:admin`` any more.

    Call this inside the transaction of a change, after it. It waits for other changes of people, so
    that of two at once the second sees what the first has done.
    """
    lock_people()
    if not admins().exists():
        raise LastAdmin()


def admins() -> QuerySet[User]:
    """Return the active accounts that have ``accounts:admin``."""
    granted = F("role_permissions").bitand(int(Permission.ACCOUNTS_ADMIN))
    return User.objects.alias(granted=granted).filter(
        WITH_RIGHTS,
        Q(is_staff=True) | Q(is_superuser=True) | Q(granted__gt=0),
        is_active=True,
    )


def _beyond(mask: int, held: int) -> int:
    """Return what is in the mask and not held; who has everybody's also has one's own."""
    return sum(int(each) for each in Permission if each & mask and not allows(held, each))


def _first(mask: int) -> str:
    return next(each.code for each in Permission if each & mask)


@contextmanager
def changing_people() -> Iterator[None]:
    """Make a change of roles, teams or members in one transaction, after all earlier ones.

    Raise ``LastAdmin``, and undo the change, if it takes the last active administrator away.
    """
    with transaction.atomic():
        lock_people()
        before = admins().exists()
        yield
        if before:
            admin_remains()


def present(actor: User) -> User:
    """Return the actor as it is now. Raise ``Forbidden`` if it may not administer accounts.

    A request may have waited for another that took the actor's rights away.
    """
    now = User.objects.filter(pk=actor.pk, is_active=True).first()
    if now is None:
        raise Forbidden(accepted=Permission.ACCOUNTS_ADMIN.code)
    now.credential_permissions = actor.credential_permissions
    check(now.permissions, Permission.ACCOUNTS_ADMIN)
    return now
