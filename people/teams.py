"""Writes to teams and their members."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_noop

from accounts.models import User
from audit.services import record
from people.folding import fold, mask_of
from people.guard import changing_people, may_give, may_manage, may_manage_all, present
from people.models import Membership, Team
from people.roles import TooMany, parse_name, parse_roles
from shop.core.errors import FieldError, NotFound, ValidationFailed

_TAKEN = gettext_noop("There is a team of this name already.")
TEAMS_MAX = 1000
MEMBERS_MAX = 1000


def team_create(*, actor: User, name: str, roles: Iterable[str]) -> Team:
    """Make a team without members. Raise ``ValidationFailed``, ``TooMany`` or ``Forbidden``."""
    with changing_people():
        actor = present(actor)
        chosen = parse_roles(roles)
        may_give(actor, mask_of(chosen))
        if Team.objects.count() >= TEAMS_MAX:
            raise TooMany()
        team = Team.objects.create(name=_free_name(name), roles=chosen)
        team.refresh_from_db()
        record("team.created", object=f"team:{team.pk}", actor_id=actor.pk, after=_state(team))
    return team


def team_change(
    *, actor: User, id: UUID, name: str | None = None, roles: Iterable[str] | None = None
) -> Team:
    """Change a team, and what its members may do.

    Raise ``NotFound``, ``ValidationFailed``, ``Forbidden`` or ``LastAdmin``.
    """
    with changing_people():
        actor = present(actor)
        team = team_of(id)
        before = _state(team)
        if name is not None:
            team.name = _free_name(name, team)
        if roles is not None:
            team.roles = parse_roles(roles)
            # Whoever may not give a role may not take it away, either.
            may_give(actor, mask_of({*before["roles"]} ^ {*team.roles}))
        team.save(update_fields=["name", "roles"])
        if team.roles != before["roles"]:
            members = _members(team)
            may_manage_all(actor, members)
            fold(each.pk for each in members)
        if (after := _state(team)) != before:
            record(
                "team.changed",
                object=f"team:{team.pk}",
                actor_id=actor.pk,
                before=before,
                after=after,
            )
    return team


def team_delete(*, actor: User, id: UUID) -> None:
    """Delete a team, whose members lose its roles. Its invitations end.

    Raise ``NotFound``, ``Forbidden`` or ``LastAdmin``.
    """
    with changing_people():
        actor = present(actor)
        team = team_of(id)
        members = _members(team)
        may_give(actor, mask_of(team.roles))
        may_manage_all(actor, members)
        team.delete()
        fold(each.pk for each in members)
        record("team.deleted", object=f"team:{id}", actor_id=actor.pk, before=_state(team))


def member_add(*, actor: User, id: UUID, account_id: int) -> None:
    """Put an account into a team; one that is in it already stays.

    Raise ``NotFound``, ``TooMany`` or ``Forbidden``.
    """
    with changing_people():
        actor = present(actor)
        team, target = team_of(id), User.objects.get(pk=account_id)
        may_manage(actor, target)
        may_give(actor, mask_of(team.roles))
        if join(team, target):
            record(
                "member.added",
                object=f"account:{target.pk}",
                actor_id=actor.pk,
                after={"team": str(team.pk)},
            )


def join(team: Team, target: User) -> bool:
    """Make an account a member. Return whether it was none. Raise ``TooMany``."""
    if Membership.objects.filter(team=team, user=target).exists():
        return False
    if Membership.objects.filter(team=team).count() >= MEMBERS_MAX:
        raise TooMany()
    Membership.objects.create(team=team, user=target)
    fold([target.pk])
    return True


def member_remove(*, actor: User, id: UUID, account_id: int) -> None:
    """Take an account out of a team, if it is in it.

    Raise ``NotFound``, ``Forbidden`` or ``LastAdmin``.
    """
    with changing_people():
        actor = present(actor)
        team, target = team_of(id), User.objects.get(pk=account_id)
        may_manage(actor, target)
        removed, _ = Membership.objects.filter(team=team, user=target).delete()
        if removed:
            fold([target.pk])
            record(
                "member.removed",
                object=f"account:{target.pk}",
                actor_id=actor.pk,
                before={"team": str(team.pk)},
            )


def team_of(id: UUID) -> Team:
    """Return the team. Raise ``NotFound``."""
    team = Team.objects.filter(pk=id).first()
    if team is None:
        raise NotFound()
    return team


def _members(team: Team) -> list[User]:
    return list(User.objects.filter(memberships__team=team))


def _free_name(name: str, team: Team | None = None) -> str:
    name = parse_name(name)
    others = Team.objects.exclude(pk=team.pk) if team else Team.objects.all()
    if others.filter(name=name).exists():
        raise ValidationFailed([FieldError("taken", _TAKEN, "name")])
    return name


def _state(team: Team) -> dict[str, Any]:
    return {"name": team.name, "roles": list(team.roles)}
