"""Who somebody is, and what they may see and do."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Caller:
    """The account that makes a request."""

    id: int
    username: str
    userid: str
    is_staff: bool
    is_client: bool

    @classmethod
    def of(cls, user: Any) -> "Caller":
        """Return the caller for a signed-in ``User``."""
        return cls(user.pk, user.username, user.userid, user.is_staff, user.is_client)


def may_see_everything(caller: Caller) -> bool:
    """Return whether the caller sees every customer's purchases: staff does."""
    return caller.is_staff


def may_record_for_anyone(caller: Caller) -> bool:
    """Return whether the caller may name another customer: client programs and staff may."""
    return caller.is_client or caller.is_staff
