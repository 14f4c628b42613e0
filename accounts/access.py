"""Who somebody is, and what they may see and do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from accounts.permissions import Permission, allows, sufficient
from shop.core.errors import Forbidden

# Plain numbers: comparing members of an enumeration costs a purchase more than all else here.
_READ_PURCHASES = sufficient(Permission.PURCHASES_READ)
_WRITE_PURCHASES = sufficient(Permission.PURCHASES_WRITE)
_READ_ALL_PURCHASES = int(Permission.PURCHASES_READ_ALL)
_WRITE_ALL_PURCHASES = int(Permission.PURCHASES_WRITE_ALL)


@dataclass(frozen=True, slots=True)
class Caller:
    """The account that makes a request, and what it may do with the credential it came with."""

    id: int
    username: str
    userid: str
    permissions: int

    @classmethod
    def of(cls, user: Any) -> "Caller":
        """Return the caller for a signed-in ``User``."""
        return cls(user.pk, user.username, user.userid, user.permissions)

    def may(self, permission: Permission) -> bool:
        """Return whether the caller has the permission, or that to do the same to everybody's."""
        return allows(self.permissions, permission)


def check(permissions: int, needed: Permission, detail: str | None = None) -> None:
    """Raise ``Forbidden``, which names what is needed, where the permissions lack it."""
    if not allows(permissions, needed):
        raise Forbidden(detail, accepted=needed.code)


def allowed(needed: Permission) -> Callable[[Any], bool]:
    """Return what tells whether a request's user has the permission, for navigation entries."""
    return lambda user: bool(user.is_authenticated) and allows(user.permissions, needed)


def may_read_purchases(caller: Caller) -> bool:
    """Return whether the caller may read purchases, be it its own."""
    return caller.permissions & _READ_PURCHASES != 0


def may_read(caller: Caller, *, everything: bool) -> bool:
    """Return whether the caller may read everybody's purchases, or else its own."""
    return may_see_everything(caller) if everything else may_read_purchases(caller)


def may_see_everything(caller: Caller) -> bool:
    """Return whether the caller sees every customer's purchases."""
    return caller.permissions & _READ_ALL_PURCHASES != 0


def may_record(caller: Caller) -> bool:
    """Return whether the caller may record purchases, be it for itself."""
    return caller.permissions & _WRITE_PURCHASES != 0


def may_record_for_anyone(caller: Caller) -> bool:
    """Return whether the caller may name another customer: client programs and staff may."""
    return caller.permissions & _WRITE_ALL_PURCHASES != 0
