"""Roles that a site makes itself, teams, their members, and invitations to them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from accounts.models import User
from shop.core.ids import UUIDv7

NAME_MAX_LENGTH = 60
CODE_MAX_LENGTH = 20


class Role(models.Model):
    """A custom role: permissions under a name. The built-in ones are in ``accounts.permissions``.

    Accounts and teams hold the codes of their roles.
    """

    code = models.CharField(primary_key=True, max_length=CODE_MAX_LENGTH)
    name = models.CharField(max_length=NAME_MAX_LENGTH)
    permissions = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(permissions__gte=0), name="people_role_mask"),
        ]

    def __str__(self) -> str:
        return self.code


class Team(models.Model):
    """People with roles in common. A member has the team's roles besides its own."""

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    name = models.CharField(max_length=NAME_MAX_LENGTH, unique=True)
    roles = ArrayField(models.CharField(max_length=CODE_MAX_LENGTH), default=list, db_default=[])
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["created_at", "id"], name="people_team_by_time")]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """That an account is in a team."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    since = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "user"], name="people_membership_once"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Invitation(models.Model):
    """An invitation to a team, mailed to one address. Only the digest of its token is stored."""

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    digest = models.BinaryField(max_length=32, unique=True)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(db_index=True)
    invited_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(db_index=True)
    accepted_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.pk)


class KeptAnswer(models.Model):
    """The answer to a request with an ``Idempotency-Key``, for the next request with that key."""

    account = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    route = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    digest = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    body = models.JSONField(null=True)
    made_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "route", "key"], name="people_keptanswer_once"
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)
