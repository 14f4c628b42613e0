"""Teams as readers of the log: an event may be about a team, and its members get it.

The log keeps the team as a negative number in the column and the index of recorders. So these
events cost a purchase nothing, and the version before, which knows no teams, loses none of them.

What is about no team has its stewards instead: whoever has ``write_all`` of the type's part.
"""

from collections.abc import Collection
from uuid import UUID

from accounts.access import Audience, Caller, audience_of
from accounts.permissions import permission_of
from events.types import EventType, team_parts, team_types
from people.models import Membership

_RANDOM = (1 << 62) - 1

NUMBER_IN_SQL = (
    "-(('x' || right(translate({team}::text, '-', ''), 16))::bit(64)::bigint & 4611686018427387903)"
)
"""The number of a team, in SQL, whose id is the expression ``team``."""


def number_of(team: UUID) -> int:
    """Return the number of a team in the log: the 62 random bits of its UUIDv7, below 0."""
    return -(team.int & _RANDOM)


def recorder_of(type: EventType, *, customer: int | None, team: UUID | None) -> int | None:
    """Return the number in the log of those who see an event that is about no account."""
    if team is not None:
        return number_of(team)
    return _stewards_of(type.part)[1] if type.teams and customer is None else None


def stewards() -> list[tuple[int, int]]:
    """Return, for each part with events of teams, the permission of its stewards and their
    number.
    """
    return [_stewards_of(part) for part in team_parts()]


def _stewards_of(part: str) -> tuple[int, int]:
    permission = int(permission_of(f"{part}:write_all"))
    return permission, -_RANDOM - 1 - permission.bit_length()


def with_stewards(teams: tuple[int, ...], permissions: int) -> tuple[int, ...]:
    """Return the numbers of these teams, and of the stewards that somebody belongs to."""
    return teams + tuple(number for needed, number in stewards() if permissions & needed)


def numbers_of(accounts: Collection[int]) -> dict[int, tuple[int, ...]]:
    """Return the numbers of the teams that accounts are in, by account."""
    found: dict[int, list[int]] = {}
    rows = Membership.objects.filter(user__in=accounts).order_by("pk")
    for account, team in rows.values_list("user_id", "team_id"):
        found.setdefault(account, []).append(number_of(team))
    return {account: tuple(teams) for account, teams in found.items()}


def about_teams(types: Collection[int] | None) -> bool:
    """Return whether events of the types may be about a team; ``None`` is every type."""
    return bool(team_types() if types is None else team_types().intersection(types))


def audience_for(
    caller: Caller, *, everything: bool, types: Collection[int] | None
) -> Audience | None:
    """Return in which audience a caller is for events of these types, by one query at most."""
    teams: tuple[int, ...] = ()
    if not everything and about_teams(types):
        teams = with_stewards(numbers_of([caller.id]).get(caller.id, ()), caller.permissions)
    return audience_of(caller, everything=everything, teams=teams)
