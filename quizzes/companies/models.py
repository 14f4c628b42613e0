"""Companies, which make quizzes, and what each of their people may do there."""

from django.db import models
from django.db.models.functions import Now

from people.models import Membership, Team
from shop.core.ids import UUIDv7

SLUG_MAX_LENGTH = 40
SLUG_PATTERN = rf"^[a-z0-9](-?[a-z0-9]){{0,{SLUG_MAX_LENGTH - 1}}}$"
NAME_MAX_LENGTH = 60
SHOP = "shop"
"""The slug of the company that is there from the start."""


class Company(models.Model):
    """Who makes quizzes and gets their leads. Its people are the members of its team.

    The company ``shop`` has no team: its people are those who may write everybody's quizzes.
    ``brand`` has the members of ``quizzes.companies.brand.Brand``.
    """

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False)
    slug = models.CharField(max_length=SLUG_MAX_LENGTH, unique=True)
    name = models.CharField(max_length=NAME_MAX_LENGTH)
    brand = models.JSONField(default=dict, db_default={})
    team = models.OneToOneField(Team, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(slug__regex=SLUG_PATTERN), name="quizzes_company_slug"
            ),
        ]
        indexes = [models.Index(fields=["created_at", "id"], name="quizzes_companies_by_time")]

    def __str__(self) -> str:
        return self.slug


class Seat(models.Model):
    """The role of a member of a company's team. A member without a seat is a viewer.

    It goes with the membership.
    """

    class Role(models.TextChoices):
        """Each role may also do what those before it may."""

        VIEWER = "viewer"
        EDITOR = "editor"
        OWNER = "owner"

    membership = models.OneToOneField(
        Membership, primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    role = models.CharField(max_length=10, choices=Role.choices)

    def __str__(self) -> str:
        return str(self.pk)
