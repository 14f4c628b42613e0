"""The caller of a request, and what it may see and do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

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


class Audience(NamedTuple):
    """Those who get the events about one account, and perhaps those that it recorded for others.

    ``teams`` are the numbers in the log of teams whose events they get, too. They are below 0.
    """

    account: int
    and_recorded: bool
    teams: tuple[int, ...] = ()

    @property
    def parts(self) -> "list[Audience]":
        """Return the audiences that this one consists of: of the account, and of each team."""
        return [self._replace(teams=()), *(Audience(team, True) for team in self.teams)]


def audience_of(
    caller: Caller, *, everything: bool, teams: tuple[int, ...] = ()
) -> Audience | None:
    """Return in which audience a caller is; ``None`` is that of everybody's events."""
    return None if everything else Audience(caller.id, is_client_program(caller), teams)


def keeps(caller: Caller, audience: Audience | None) -> bool:
    """Return whether the caller still reads what it recorded, if that is in the audience."""
    if audience is None or not audience.and_recorded:
        return True
    return is_client_program(caller) or may_see_everything(caller)


def audiences_of(customer_id: int | None, recorder_id: int | None) -> list[Audience]:
    """Return who gets an event, besides those who get everybody's.

    ``recorder_id`` is that of a client program which recorded it for somebody else, or the number
    of the team that it is about.
    """
    audiences = []
    if customer_id is not None:
        audiences += [Audience(customer_id, False), Audience(customer_id, True)]
    if recorder_id is not None:
        audiences.append(Audience(recorder_id, True))
    return audiences


def check(permissions: int, needed: Permission, detail: str | None = None) -> None:
    """Raise ``Forbidden``, which names the needed permission, if the mask lacks it."""
    if not allows(permissions, needed):
        raise Forbidden(detail, accepted=needed.code)


def allowed(*needed: Permission) -> Callable[[Any], bool]:
    """Return a predicate of users for navigation entries: whether one has a permission of these."""
    return lambda user: (
        bool(user.is_authenticated) and any(allows(user.permissions, each) for each in needed)
    )


def may_read_purchases(caller: Caller) -> bool:
    """Return whether the caller may read purchases, at least its own."""
    return caller.permissions & _READ_PURCHASES != 0


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
    """Return whether the caller may record others' purchases, as programs and staff may."""
    return caller.permissions & _WRITE_ALL_PURCHASES != 0
