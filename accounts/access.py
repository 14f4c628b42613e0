"""The caller of a request, and what it may see and do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from accounts.permissions import Permission, allows, sufficient
from shop.core.errors import Forbidden

# Plain integers, because comparing members of an enumeration would be the dearest part of a
# purchase here.
_READ_PURCHASES = sufficient(Permission.PURCHASES_READ)
_WRITE_PURCHASES = sufficient(Permission.PURCHASES_WRITE)
_READ_ALL_PURCHASES = int(Permission.PURCHASES_READ_ALL)
_WRITE_ALL_PURCHASES = int(Permission.PURCHASES_WRITE_ALL)


@dataclass(frozen=True, slots=True)
class Caller:
    """The account that makes a request, and the permissions of its credential."""

    id: int
    username: str
    userid: str
    permissions: int

    @classmethod
    def of(cls, user: Any) -> "Caller":
        """Return the caller for a signed-in ``User``."""
        return cls(user.pk, user.username, user.userid, user.permissions)

    def may(self, permission: Permission) -> bool:
        """Return whether the caller has the permission, or its ``_all`` form."""
        return allows(self.permissions, permission)


def check(permissions: int, needed: Permission, detail: str | None = None) -> None:
    """Raise ``Forbidden``, which names the needed permission, if the mask lacks it."""
    if not allows(permissions, needed):
        raise Forbidden(detail, accepted=needed.code)


def allowed(needed: Permission) -> Callable[[Any], bool]:
    """Return a predicate of users for navigation entries: whether one has the permission."""
    return lambda user: bool(user.is_authenticated) and allows(user.permissions, needed)


def may_read_purchases(caller: Caller) -> bool:
    """Return whether the caller may read purchases, at least its own."""
    return caller.permissions & _READ_PURCHASES != 0


def may_read(caller: Caller, *, everything: bool) -> bool:
    """Return whether the caller may read everybody's purchases, or else its own."""
    return may_see_everything(caller) if everything else may_read_purchases(caller)


def may_see_everything(caller: Caller) -> bool:
    """Return whether the caller sees every customer's purchases."""
    return caller.permissions & _READ_ALL_PURCHASES != 0


def is_client_program(caller: Caller) -> bool:
    """Return whether the caller reads what it recorded itself: a till does, for any customer."""
    return (
        may_record_for_anyone(caller)
        and may_read_purchases(caller)
        and not may_see_everything(caller)
    )


def may_record(caller: Caller) -> bool:
    """Return whether the caller may record purchases, at least its own."""
    return caller.permissions & _WRITE_PURCHASES != 0


def may_record_for_anyone(caller: Caller) -> bool:
    """Return whether the caller may record other customers' purchases, as programs and staff
    may.
    """
    return caller.permissions & _WRITE_ALL_PURCHASES != 0
