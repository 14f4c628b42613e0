"""The rights of people, folded into their accounts whenever a role, team or member changes.

``accounts_user.role_permissions`` is the mask of an account's roles and of those of its teams, so
that no request reads roles. One statement computes it for all people whom a change concerns.
"""

from collections.abc import Iterable

from django.db import connection
from django.db.models import Q, QuerySet

from accounts.models import WITH_RIGHTS, User
from accounts.permissions import GIVEN_ROLES, NONE, ROLES, Permission
from people.models import Role

# Where an account has nothing new, no row is written.
_FOLD = """
UPDATE accounts_user AS account
SET role_permissions = folded.mask, team_roles = folded.by_teams
FROM (
    SELECT
        person.id,
        coalesce(bit_or(role.permissions), 0) AS mask,
        coalesce(
            array_agg(DISTINCT held.code ORDER BY held.code) FILTER (WHERE held.by_team),
            '{}'::varchar[]
        ) AS by_teams
    FROM accounts_user AS person
    LEFT JOIN LATERAL (
        SELECT unnest(person.roles) AS code, false AS by_team
        UNION ALL
        SELECT unnest(team.roles), true
        FROM people_membership AS membership
        JOIN people_team AS team ON team.id = membership.team_id
        WHERE membership.user_id = person.id
    ) AS held ON true
    LEFT JOIN (
        SELECT code, permissions FROM people_role
        UNION ALL
        SELECT * FROM unnest(%(codes)s::varchar[], %(masks)s::bigint[])
    ) AS role ON role.code = held.code
    WHERE person.id = ANY(%(people)s)
    GROUP BY person.id
) AS folded
WHERE account.id = folded.id
    AND (account.role_permissions, account.team_roles) IS DISTINCT FROM
        (folded.mask, folded.by_teams)
"""


def fold(people: Iterable[int]) -> None:
    """Compute anew what these accounts may do. Call this in the transaction of the change."""
    with connection.cursor() as cursor:
        cursor.execute(
            _FOLD,
            {
                "codes": list(ROLES),
                "masks": [int(mask) for mask in ROLES.values()],
                "people": sorted({*people}),
            },
        )


def masks_of(codes: Iterable[str]) -> dict[str, Permission]:
    """Return the mask of each of these roles that can be given."""
    wanted = {*codes}
    masks = {code: ROLES[code] for code in wanted.intersection(GIVEN_ROLES)}
    custom = Role.objects.filter(code__in=wanted - masks.keys())
    return masks | {role.code: Permission(role.permissions) for role in custom}


def mask_of(codes: Iterable[str]) -> Permission:
    """Return the mask of these roles together; unknown ones count nothing."""
    mask = NONE
    for each in masks_of(codes).values():
        mask |= each
    return mask


def holders_of(code: str) -> QuerySet[User]:
    """Return the accounts with a role, whether it was given to them or to a team of theirs."""
    held = Q(roles__contains=[code]) | Q(team_roles__contains=[code])
    return User.objects.filter(WITH_RIGHTS).filter(held)
