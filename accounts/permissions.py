"""What may be done here, and which role may do what.

A permission is one bit of a ``bigint``, named ``part:verb``. ``read`` and ``write`` reach what is
the caller's own, ``read_all`` and ``write_all`` everybody's. Who has which is stored elsewhere:
``accounts_user.permissions`` holds the account's, ``knox_authtoken.permissions`` the credential's,
and a request has what both have. That is computed in :attr:`accounts.models.User.permissions`, and
by :data:`EFFECTIVE` for statements that read no model.
"""

import enum
import functools
import operator
from collections.abc import Iterable


class Permission(enum.IntFlag):
    """All permissions. A bit is never given to another one, because it is stored in rows."""

    PURCHASES_READ = 1 << 0
    PURCHASES_WRITE = 1 << 1
    PURCHASES_READ_ALL = 1 << 2
    PURCHASES_WRITE_ALL = 1 << 3
    REPORTS_READ = 1 << 4
    REPORTS_WRITE = 1 << 5
    REPORTS_READ_ALL = 1 << 6
    REPORTS_WRITE_ALL = 1 << 7
    BILLING_READ = 1 << 8
    BILLING_WRITE = 1 << 9
    BILLING_READ_ALL = 1 << 10
    BILLING_WRITE_ALL = 1 << 11
    QUIZZES_READ = 1 << 12
    QUIZZES_WRITE = 1 << 13
    QUIZZES_READ_ALL = 1 << 14
    QUIZZES_WRITE_ALL = 1 << 15
    WEBHOOKS_READ = 1 << 16
    WEBHOOKS_WRITE = 1 << 17
    WEBHOOKS_READ_ALL = 1 << 18
    WEBHOOKS_WRITE_ALL = 1 << 19
    INSIGHT_READ = 1 << 20
    INSIGHT_READ_ALL = 1 << 21
    SETTINGS_READ_ALL = 1 << 22
    SETTINGS_WRITE_ALL = 1 << 23
    LOGS_READ_ALL = 1 << 24
    AUDIT_READ_ALL = 1 << 25
    ACCOUNTS_READ_ALL = 1 << 26
    ACCOUNTS_ADMIN = 1 << 27

    @property
    def part(self) -> str:
        """Return the part that a single permission is about, such as ``purchases``."""
        return self.code.partition(":")[0]

    @property
    def code(self) -> str:
        """Return a single permission's name outside, such as ``purchases:read_all``."""
        part, _, verb = str(self.name).lower().partition("_")
        return f"{part}:{verb}"


P = Permission
NONE = P(0)
ALL = functools.reduce(operator.or_, Permission)
UNLIMITED = -1
"""The mask of a credential that has whatever its account has, now and later."""

# What a statement that joins `accounts_user` and `knox_authtoken` under these names compares.
EFFECTIVE = "(account.permissions & token.permissions)"

CUSTOMER = (
    P.PURCHASES_READ | P.PURCHASES_WRITE | P.REPORTS_READ | P.REPORTS_WRITE | P.BILLING_READ
    | P.BILLING_WRITE | P.INSIGHT_READ | P.WEBHOOKS_READ | P.WEBHOOKS_WRITE
)  # fmt: skip
CLIENT = P.PURCHASES_READ | P.PURCHASES_WRITE_ALL
_READ_ALL = (
    P.PURCHASES_READ_ALL | P.REPORTS_READ_ALL | P.BILLING_READ_ALL | P.QUIZZES_READ_ALL
    | P.WEBHOOKS_READ_ALL | P.INSIGHT_READ_ALL | P.SETTINGS_READ_ALL | P.LOGS_READ_ALL
    | P.AUDIT_READ_ALL | P.ACCOUNTS_READ_ALL
)  # fmt: skip

# Every account has the first of these that fits it: `admin` as staff, `client` as a client
# program, else `customer`. The others are given besides.
ROLES: dict[str, Permission] = {
    "customer": CUSTOMER,
    "client": CLIENT,
    "support": (
        P.PURCHASES_READ_ALL | P.REPORTS_READ_ALL | P.BILLING_READ_ALL | P.ACCOUNTS_READ_ALL
    ),
    "finance": (
        P.PURCHASES_READ_ALL | P.REPORTS_READ_ALL | P.REPORTS_WRITE_ALL | P.BILLING_READ_ALL
        | P.BILLING_WRITE_ALL | P.INSIGHT_READ_ALL
    ),
    "author": (
        P.QUIZZES_READ | P.QUIZZES_WRITE | P.QUIZZES_READ_ALL | P.QUIZZES_WRITE_ALL
    ),
    "analyst": (
        P.PURCHASES_READ_ALL | P.REPORTS_READ_ALL | P.BILLING_READ_ALL | P.QUIZZES_READ_ALL
        | P.INSIGHT_READ_ALL
    ),
    "operator": (
        P.SETTINGS_READ_ALL | P.SETTINGS_WRITE_ALL | P.LOGS_READ_ALL | P.INSIGHT_READ_ALL
        | P.WEBHOOKS_READ_ALL | P.WEBHOOKS_WRITE_ALL
    ),
    "auditor": _READ_ALL,
    "admin": ALL,
}  # fmt: skip
GIVEN_ROLES = tuple(role for role in ROLES if role != "customer")
"""The roles that somebody may be given."""


def own_role(*, is_admin: bool, is_client: bool) -> str:
    """Return the role that an account has by what kind of account it is."""
    if is_admin:
        return "admin"
    return "client" if is_client else "customer"


def role_mask(roles: Iterable[str]) -> Permission:
    """Return what any of the roles may do; raise ``KeyError`` for one that is not there."""
    mask = NONE
    for role in roles:
        mask |= ROLES[role]
    return mask


def codes(mask: int) -> list[str]:
    """Return the names of the permissions in a mask, in the order of their bits."""
    return [permission.code for permission in Permission if permission & mask]


_BY_CODE = {permission.code: permission for permission in Permission}


def permission_of(code: str) -> Permission:
    """Return the permission of this name; raise ``KeyError`` where there is none."""
    return _BY_CODE[code]


# What each permission is part of: who may read everybody's things may read their own.
_INCLUDED_IN: dict[int, int] = {
    int(each): int(each | _BY_CODE.get(f"{each.code}_all", NONE)) for each in Permission
}


def allows(mask: int, needed: Permission) -> bool:
    """Return whether the mask has a permission, or that to do the same to everybody's things."""
    return mask & _INCLUDED_IN[needed] != 0


def sufficient(needed: Permission) -> int:
    """Return the mask of permissions of which one is enough for :func:`allows`."""
    return _INCLUDED_IN[needed]
