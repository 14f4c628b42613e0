"""What accounts may do is always what their roles and teams say (I7), whatever was changed."""

from typing import Any

from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from accounts.models import User
from accounts.permissions import ROLES, Permission, codes
from people import roles, services, teams
from people.models import Membership, Role, Team
from people.tests.conftest import make
from shop.core.errors import ApplicationError

PEOPLE = st.integers(0, 3)
PLACES = st.integers(0, 2)
CUSTOM = st.sampled_from(["night", "shelves"])
CODES = st.lists(st.sampled_from(["finance", "support", "admin", "night", "shelves"]), max_size=2)
MASKS = st.sampled_from([0, 1 << 24, 1 << 25 | 1 << 3, int(Permission.ACCOUNTS_ADMIN)]).map(codes)


def expected(user: User) -> tuple[int, list[str]]:
    """Return the mask and the roles by teams, computed anew."""
    masks = ROLES | {role.code: Permission(role.permissions) for role in Role.objects.all()}
    by_team = {code for team in Team.objects.filter(memberships__user=user) for code in team.roles}
    mask = Permission(0)
    for code in {*user.roles, *by_team}:
        mask |= masks[code]
    return int(mask), sorted(by_team)


class People(RuleBasedStateMachine):
    """Anything that an administrator may ask for, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.boss = make("boss", is_staff=True, is_superuser=True)
        self.people = [make(f"p{number}") for number in range(4)]
        self.teams: list[Any] = []
        # Something to begin with, so that a short run changes what somebody has.
        for code in ("night", "shelves"):
            self.make_role(code, ["logs:read_all"])
        self.make_team(["night"])
        self.move(0, 0, True)
        self.change_account(1, ["shelves", "finance"], True)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    def _try(self, change: Any, **arguments: Any) -> Any:
        try:
            return change(actor=self.boss, **arguments)
        except ApplicationError:
            return None

    @rule(code=CUSTOM, mask=MASKS)
    def make_role(self, code: str, mask: list[str]) -> None:
        self._try(roles.role_create, code=code, name=code, permissions=mask)

    @rule(code=CUSTOM, mask=MASKS)
    def change_role(self, code: str, mask: list[str]) -> None:
        self._try(roles.role_change, code=code, permissions=mask)

    @rule(code=CUSTOM)
    def delete_role(self, code: str) -> None:
        self._try(roles.role_delete, code=code)

    @rule(codes=CODES)
    def make_team(self, codes: list[str]) -> None:
        name = f"team {len(self.teams)}"
        if team := self._try(teams.team_create, name=name, roles=codes):
            self.teams.append(team.pk)

    @rule(place=PLACES, codes=CODES)
    def change_team(self, place: int, codes: list[str]) -> None:
        if place < len(self.teams):
            self._try(teams.team_change, id=self.teams[place], roles=codes)

    @rule(place=PLACES)
    def delete_team(self, place: int) -> None:
        if place < len(self.teams):
            self._try(teams.team_delete, id=self.teams[place])

    @rule(place=PLACES, person=PEOPLE, joins=st.booleans())
    def move(self, place: int, person: int, joins: bool) -> None:
        if place < len(self.teams):
            change = teams.member_add if joins else teams.member_remove
            self._try(change, id=self.teams[place], account_id=self.people[person].pk)

    @rule(person=PEOPLE, codes=CODES, active=st.booleans())
    def change_account(self, person: int, codes: list[str], active: bool) -> None:
        pk = self.people[person].pk
        self._try(services.account_change, account_id=pk, roles=codes, is_active=active)

    @invariant()
    def nobody_has_more_or_less_than_their_roles_say(self) -> None:
        for user in User.objects.filter(pk__in=[person.pk for person in self.people]):
            assert (user.role_permissions, user.team_roles) == expected(user)
            with connection.cursor() as cursor:
                cursor.execute("SELECT permissions FROM accounts_user WHERE id = %s", [user.pk])
                assert cursor.fetchone() == (user.account_permissions,)


def test_rights_are_what_roles_and_teams_say_after_any_changes(db: None, settings: Any) -> None:
    settings.DEBUG = False
    run_state_machine_as_test(People, settings=_SETTINGS)
    assert not Membership.objects.exists()


_SETTINGS = settings(
    max_examples=8,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
