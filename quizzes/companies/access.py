"""Which companies and quizzes somebody reaches, and with which role."""

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.permissions import Permission, allows
from people.models import Membership
from quizzes.companies.models import SHOP, Company, Seat
from shop.core.errors import Forbidden, NotFound

Role = Seat.Role
_RANKS = {Role.VIEWER: 0, Role.EDITOR: 1, Role.OWNER: 2}


def company_for(user: Any, slug: str, role: str = Role.VIEWER) -> Company:
    """Return the company. Raise ``NotFound`` for outsiders, and ``Forbidden`` for a lower role."""
    company = shop_company() if slug == SHOP else Company.objects.filter(slug=slug).first()
    held = None if company is None else role_of(user, company)
    if company is None or held is None:
        raise NotFound()
    if _RANKS[held] < _RANKS[Role(role)]:
        raise Forbidden(accepted=Permission.QUIZZES_WRITE.code)
    return company


def role_of(user: Any, company: Company) -> Role | None:
    """Return the role of this request's user in the company, or ``None`` for an outsider."""
    if allows(user.permissions, Permission.QUIZZES_WRITE_ALL):
        return Role.OWNER
    role = None
    if company.team_id is not None and allows(user.permissions, Permission.QUIZZES_READ):
        role = _role_in_team(user, company.team_id)
    if role is not None and allows(user.permissions, Permission.QUIZZES_WRITE):
        return role
    if role is not None or allows(user.permissions, Permission.QUIZZES_READ_ALL):
        return Role.VIEWER
    return None


def companies_for(user: Any) -> QuerySet[Company]:
    """Return the companies that this request's user reaches."""
    if allows(user.permissions, Permission.QUIZZES_READ_ALL) or allows(
        user.permissions, Permission.QUIZZES_WRITE_ALL
    ):
        shop_company()
        return Company.objects.all()
    if not allows(user.permissions, Permission.QUIZZES_READ):
        return Company.objects.none()
    return Company.objects.filter(team__memberships__user=user.pk)


def shop_company() -> Company:
    """Return the company that is there from the start."""
    found, _made = Company.objects.get_or_create(slug=SHOP, defaults={"name": "Shop"})
    return found


def parse_id(text: str) -> UUID:
    """Return an id of a path. Raise ``NotFound`` for what is none."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound() from None


def members_of(company: Company) -> QuerySet[Membership]:
    """Return the memberships of the company's team, with accounts."""
    team = Q(team=company.team_id) if company.team_id else Q(pk__in=[])
    return Membership.objects.filter(team).select_related("user")


def _role_in_team(user: Any, team_id: UUID) -> Role | None:
    membership = (
        Membership.objects.filter(team=team_id, user=user.pk).values_list("pk", flat=True).first()
    )
    if membership is None:
        return None
    seat = Seat.objects.filter(pk=membership).first()
    return Role.VIEWER if seat is None else Role(seat.role)
