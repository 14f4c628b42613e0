"""What is read about people."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now

from accounts.factors.codes import SECOND_FACTORS
from accounts.models import USERID_MAX_LENGTH, WITH_RIGHTS, User
from accounts.names import normalise
from accounts.permissions import GIVEN_ROLES, ROLE_NAMES, ROLES, Permission, sufficient
from accounts.wording import WORDS
from people.models import Invitation, Membership, Role, Team
from shop.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Person:
    """An account, its teams, and whether it has a second factor."""

    account: User
    teams: Sequence[Team]
    mfa: bool


@dataclass(frozen=True, slots=True)
class RoleData:
    """A role: its code, its name for people, its mask, and whether it can be given."""

    code: str
    name: str
    permissions: Permission
    builtin: bool
    given: bool


def accounts(*, everybody: bool = True) -> QuerySet[User]:
    """Return all accounts, or only those that are more than customers."""
    return User.objects.all() if everybody else User.objects.filter(WITH_RIGHTS)


def accounts_named(text: str, limit: int) -> list[User]:
    """Return at most so many accounts whose name, userid or address begins with the text.

    One whose userid is the text comes first.
    """
    found: dict[int, User] = {}
    for each in User.objects.filter(userid=normalise(text)[:USERID_MAX_LENGTH]):
        found[each.pk] = each
    for field in ("username", "userid", "email"):
        for each in User.objects.starting_with(field, text)[:limit]:
            found.setdefault(each.pk, each)
    return list(found.values())[:limit]


def account_of(userid: str) -> User:
    """Return the account with this userid. Raise ``NotFound``."""
    account = None
    if len(userid) <= USERID_MAX_LENGTH:
        account = User.objects.filter(userid=normalise(userid)).first()
    if account is None:
        raise NotFound()
    return account


def people_of(found: Sequence[User]) -> list[Person]:
    """Return the accounts with what lists show of them, by two queries."""
    ids = [each.pk for each in found]
    teams: dict[int, list[Team]] = {}
    for membership in Membership.objects.filter(user__in=ids).select_related("team"):
        teams.setdefault(membership.user_id, []).append(membership.team)
    factors = Authenticator.objects.filter(user__in=ids, type__in=SECOND_FACTORS)
    with_factor = {*factors.values_list("user_id", flat=True)}
    return [
        Person(
            each,
            sorted(teams.get(each.pk, []), key=lambda team: team.name.casefold()),
            each.pk in with_factor,
        )
        for each in found
    ]


def teams() -> QuerySet[Team]:
    """Return all teams, with the number of members in ``members``."""
    counted = Membership.objects.filter(team=OuterRef("pk")).order_by().values("team")
    members = counted.annotate(count=Count("pk")).values("count")
    return Team.objects.annotate(members=Coalesce(Subquery(members), 0))


def team_of(id: str) -> Team:
    """Return a team, with the number of members in ``members``. Raise ``NotFound``."""
    try:
        return teams().get(pk=id)
    except (Team.DoesNotExist, ValueError, ValidationError):
        raise NotFound() from None


def members_of(team: Team) -> QuerySet[Membership]:
    """Return the memberships of a team with their accounts."""
    return Membership.objects.filter(team=team).select_related("user")


def invitations_of(team: Team) -> QuerySet[Invitation]:
    """Return the invitations to a team that may still be accepted, newest first."""
    waiting = Invitation.objects.filter(team=team, accepted_at=None, expires_at__gt=Now())
    return waiting.select_related("invited_by").order_by("-created_at")


def roles() -> list[RoleData]:
    """Return the built-in roles, and the custom ones by name."""
    builtin = [
        RoleData(code, str(ROLE_NAMES[code]), mask, True, code in GIVEN_ROLES)
        for code, mask in ROLES.items()
    ]
    custom = [_custom(role) for role in Role.objects.order_by("name", "code")]
    return builtin + custom


def role_of(code: str) -> RoleData:
    """Return a role. Raise ``NotFound``."""
    if code in ROLES:
        return RoleData(code, str(ROLE_NAMES[code]), ROLES[code], True, code in GIVEN_ROLES)
    role = Role.objects.filter(code=code).first()
    if role is None:
        raise NotFound()
    return _custom(role)


def words(mask: int) -> list[str]:
    """Return the permissions of a mask in words, without those that another includes."""
    return [
        str(WORDS[each])
        for each in Permission
        if each & mask and not (sufficient(each) & mask & ~int(each))
    ]


def role_names() -> dict[str, str]:
    """Return the name of each role for people, by its code."""
    return {role.code: role.name for role in roles()}


def custom_role_names(codes: Collection[str]) -> dict[str, str]:
    """Return the names of custom roles with these codes."""
    return dict(Role.objects.filter(code__in=codes).values_list("code", "name"))


def _custom(role: Role) -> RoleData:
    return RoleData(role.code, role.name, Permission(role.permissions), False, True)
