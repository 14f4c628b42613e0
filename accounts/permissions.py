"""The permissions, and the roles that have them.

A permission is one bit of a ``bigint``, named ``part:verb``. ``read`` and ``write`` reach the
caller's own things, ``read_all`` and ``write_all`` everybody's. ``accounts_user.permissions`` holds
those of an account, ``knox_authtoken.permissions`` those of a credential. A request has what both
have. ``accounts.models.User.permissions`` computes that, and ``EFFECTIVE`` does for statements that
read no model.
"""

import enum
import functools
import operator
from collections.abc import Iterable

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Permission(enum.IntFlag):
    """All permissions. Rows store the bits, so a bit is never used for another permission."""

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
"""The mask of a credential that has all permissions of its account, now and later."""

EVERYBODYS = functools.reduce(
    operator.or_, (each for each in Permission if each.code.endswith(("_all", ":admin")))
)
"""What reaches other people's things. It may need a second factor."""

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

# Every account has the first of these that fits: `admin` as staff, `client` as a client program,
# else `customer`. Other roles are given in addition.
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
ROLE_NAMES: dict[str, str | Promise] = {
    "customer": _("customer"),
    "client": _("client program"),
    "support": _("support"),
    "finance": _("finance"),
    "author": _("author of quizzes"),
    "analyst": _("analyst"),
    "operator": _("operator"),
    "auditor": _("auditor"),
    "admin": _("administrator"),
}
GIVEN_ROLES = tuple(role for role in ROLES if role != "customer")
"""The roles that can be given."""


def waiting_for_factor(*, is_client: bool) -> Permission:
    """Return what an account without a second factor lacks where one is required.

    A client program keeps its role, because a program has no phone.
    """
    return EVERYBODYS & ~CLIENT if is_client else EVERYBODYS


def effective(*, factor_required: bool) -> str:
    """Return the effective mask in SQL, for statements that join ``accounts_user`` as ``account``
    and ``knox_authtoken`` as ``token``.
    """
    both = "account.permissions & token.permissions"
    if not factor_required:
        return f"({both})"
    clients, others = (int(waiting_for_factor(is_client=each)) for each in (True, False))
    return (
        f"({both} & CASE WHEN account.second_factor THEN -1"
        f" WHEN account.is_client THEN ~{clients}::bigint ELSE ~{others}::bigint END)"
    )


EFFECTIVE = effective(factor_required=settings.SECOND_FACTOR_REQUIRED)


def own_role(*, is_admin: bool, is_client: bool) -> str:
    """Return the role that an account has by its kind."""
    if is_admin:
        return "admin"
    return "client" if is_client else "customer"


def role_mask(roles: Iterable[str]) -> Permission:
    """Return the mask of the roles together. Raise ``KeyError`` for an unknown role."""
    mask = NONE
    for role in roles:
        mask |= ROLES[role]
    return mask


def codes(mask: int) -> list[str]:
    """Return the names of the permissions in a mask, in the order of their bits."""
    return [permission.code for permission in Permission if permission & mask]


_BY_CODE = {permission.code: permission for permission in Permission}


def permission_of(code: str) -> Permission:
    """Return the permission of this name. Raise ``KeyError`` for an unknown one."""
    return _BY_CODE[code]


# The permission that includes each: whoever may read everybody's things may read their own.
_INCLUDED_IN: dict[int, int] = {
    int(each): int(each | _BY_CODE.get(f"{each.code}_all", NONE)) for each in Permission
}
# Whoever may write everybody's quizzes is of the company `shop`, whose people see its quizzes.
_INCLUDED_IN[int(P.QUIZZES_READ)] |= int(P.QUIZZES_WRITE_ALL)


def allows(mask: int, needed: Permission) -> bool:
    """Return whether the mask has a permission or one that includes it, as its ``_all`` form."""
    return mask & _INCLUDED_IN[needed] != 0


def sufficient(needed: Permission) -> int:
    """Return the mask of permissions, any of which is enough for ``allows``."""
    return _INCLUDED_IN[needed]
