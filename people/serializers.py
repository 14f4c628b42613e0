"""The shapes of the API of people."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from accounts.permissions import Permission, codes
from accounts.serializers import TextField
from people.models import CODE_MAX_LENGTH, NAME_MAX_LENGTH, Membership, Team
from people.selectors import Person, RoleData
from shop.core.bodies import Body

LISTED_MAX = 100


def _codes(**options: Any) -> serializers.ListField:
    child = TextField(max_length=40)
    return serializers.ListField(child=child, max_length=LISTED_MAX, **options)


class PermissionSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    part = serializers.CharField()
    description = serializers.CharField()
    bit = serializers.IntegerField()


class RoleSerializer(Body):
    code = TextField(max_length=CODE_MAX_LENGTH)
    name = TextField(max_length=NAME_MAX_LENGTH)
    permissions = _codes()
    builtin = serializers.BooleanField(read_only=True)


class RoleChangeSerializer(Body):
    name = TextField(max_length=NAME_MAX_LENGTH, required=False)
    permissions = _codes(required=False)


class TeamSerializer(Body):
    id = serializers.UUIDField(read_only=True)
    name = TextField(max_length=NAME_MAX_LENGTH)
    roles = _codes(required=False)
    members = serializers.IntegerField(read_only=True)


class TeamChangeSerializer(Body):
    name = TextField(max_length=NAME_MAX_LENGTH, required=False)
    roles = _codes(required=False)


class MemberSerializer(serializers.Serializer[Any]):
    userid = serializers.CharField()
    username = serializers.CharField()
    since = serializers.DateTimeField()


class InvitationSerializer(Body):
    email = serializers.EmailField(max_length=254)


class AcceptSerializer(Body):
    token = TextField(max_length=200)


class JoinedSerializer(serializers.Serializer[Any]):
    team = TeamSerializer()


class TeamOfPersonSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class PersonSerializer(serializers.Serializer[Any]):
    userid = serializers.CharField()
    username = serializers.CharField()
    email = serializers.CharField()
    is_active = serializers.BooleanField()
    is_staff = serializers.BooleanField()
    roles = serializers.ListField(
        child=serializers.CharField(),
        help_text="Its own role first, then those that it was given; those of its teams are there.",
    )
    teams = TeamOfPersonSerializer(many=True)
    permissions = serializers.ListField(child=serializers.CharField())
    mfa = serializers.BooleanField()
    last_login = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class PersonChangeSerializer(Body):
    is_active = serializers.BooleanField(required=False)
    roles = _codes(required=False)


def permission_data(permission: Permission, description: str) -> dict[str, Any]:
    """Return a permission as the API shows it."""
    return {
        "code": permission.code,
        "part": permission.part,
        "description": description,
        "bit": int(permission).bit_length() - 1,
    }


def role_data(role: RoleData) -> dict[str, Any]:
    """Return a role as the API shows it."""
    return {
        "code": role.code,
        "name": role.name,
        "permissions": codes(role.permissions),
        "builtin": role.builtin,
    }


def team_data(team: Team, members: int) -> dict[str, Any]:
    """Return a team as the API shows it."""
    return {"id": str(team.pk), "name": team.name, "roles": list(team.roles), "members": members}


def member_data(membership: Membership) -> dict[str, Any]:
    """Return a member as the API shows it."""
    user = membership.user
    return {"userid": user.userid, "username": user.username, "since": membership.since}


def person_data(person: Person) -> dict[str, Any]:
    """Return an account as the API shows it."""
    account = person.account
    own: Sequence[str] = [account.own_role]
    return {
        "userid": account.userid,
        "username": account.username,
        "email": account.email,
        "is_active": account.is_active,
        "is_staff": account.is_staff,
        "roles": [*own, *(role for role in account.roles if role not in own)],
        "teams": [{"id": str(team.pk), "name": team.name} for team in person.teams],
        "permissions": codes(account.account_permissions),
        "mfa": person.mfa,
        "last_login": account.last_login,
        "created_at": account.date_joined,
    }
