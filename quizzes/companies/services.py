"""Writes to companies, their brands and their people."""

import re
from typing import Any

import msgspec
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop

from accounts.models import User
from audit.services import record
from people.folding import mask_of
from people.guard import changing_people, may_give
from people.models import Membership, Team
from people.teams import join
from quizzes.companies.access import members_of
from quizzes.companies.brand import Brand, brand_of, parse_brand, parse_company_name
from quizzes.companies.models import SHOP, SLUG_PATTERN, Company, Seat
from shop.core.errors import Conflict, FieldError, ValidationFailed

SLUGS_OF_ROUTES = frozenset({"confirm", "withdraw", "erase", "again", "result", "leave", "import"})
"""Addresses below ``/q/`` and ``/quizzes/`` that are not a quiz's."""


class SlugTaken(Conflict):
    """Another has this name in addresses."""

    code = "slug_taken"
    detail = gettext_noop("This name in addresses is taken.")
    attr = "slug"


class NoTeam(Conflict):
    """The company of the shop has no people of its own."""

    code = "no_team"
    detail = gettext_noop("Its people are those who may write everybody's quizzes.")


class LastOwner(Conflict):
    """Afterwards nobody would own the company."""

    code = "last_owner"
    detail = gettext_noop("This is the last owner of the company.")


def parse_slug(text: str) -> str:
    """Return a name for addresses. Raise ``ValidationFailed``."""
    if not re.fullmatch(SLUG_PATTERN, text) or text in SLUGS_OF_ROUTES:
        detail = "Give up to 40 small letters, digits and single hyphens between them."
        raise ValidationFailed([FieldError("invalid", detail, "slug")])
    return text


def company_create(*, actor: User, slug: str, name: str) -> Company:
    """Make a company with a team, which the actor owns, inside a transaction.

    Raise ``SlugTaken`` or ``ValidationFailed``.
    """
    slug, name = parse_slug(slug), parse_company_name(name)
    if slug == SHOP or Company.objects.filter(slug=slug).exists():
        raise SlugTaken()
    if Team.objects.filter(name=name).exists():
        detail = "There is a team or a company of this name already."
        raise ValidationFailed([FieldError("taken", detail, "name")])
    with changing_people():
        team = Team.objects.create(name=name)
        try:
            with transaction.atomic():
                company = Company(slug=slug, name=name, team=team)
                company.save(force_insert=True)
        except IntegrityError:
            raise SlugTaken() from None
        company.refresh_from_db()
        _seat(company, actor, Seat.Role.OWNER)
    _record("company.created", company, actor, after={"slug": slug})
    return company


@transaction.atomic
def brand_change(*, actor: User, company: Company, given: dict[str, Any]) -> Company:
    """Replace the name, where it is given, and the brand. Raise ``ValidationFailed``."""
    given = dict(given)
    name = given.pop("name", company.name)
    if not isinstance(name, str):
        raise ValidationFailed([FieldError("invalid", "Give a text.", "name")])
    name, brand = parse_company_name(name), parse_brand(given)
    before = _facts(company.name, brand_of(company))
    company.name, company.brand = name, _stored(brand)
    company.save(update_fields=["name", "brand"])
    _record("company.changed", company, actor, before=before, after=_facts(name, brand))
    return company


def member_put(*, actor: User, company: Company, account: User, role: str) -> None:
    """Give an account a role in the company. Raise ``NoTeam``, ``LastOwner`` or ``Forbidden``."""
    with changing_people():
        team = _team_of(company)
        # The team may have roles in the shop, too, which only who has them gives.
        may_give(actor, mask_of(team.roles))
        join(team, account)
        before = _seat(company, account, role)
        _owner_remains(company)
        _record(
            "company.member_changed",
            company,
            actor,
            before={"role": before},
            after={"role": role},
            account_id=account.pk,
        )


def member_remove(*, actor: User, company: Company, account: User) -> None:
    """Take an account out of the company, if it is in it. Raise ``NoTeam`` or ``LastOwner``."""
    with changing_people():
        team = _team_of(company)
        membership = Membership.objects.filter(team=team, user=account).first()
        if membership is None:
            return
        membership.delete()
        _owner_remains(company)
        _record("company.member_removed", company, actor, account_id=account.pk)


def _seat(company: Company, account: User, role: str) -> str:
    """Store the role of a member. Return the one before; empty for a new member."""
    team = _team_of(company)
    join(team, account)
    membership = members_of(company).get(user=account)
    seat = Seat.objects.filter(pk=membership.pk).first()
    Seat.objects.update_or_create(pk=membership.pk, defaults={"role": role})
    return seat.role if seat else ""


def _team_of(company: Company) -> Team:
    if company.team is None:
        raise NoTeam()
    return company.team


def _owner_remains(company: Company) -> None:
    if not Seat.objects.filter(membership__team=company.team_id, role=Seat.Role.OWNER).exists():
        raise LastOwner()


def _stored(brand: Brand) -> dict[str, Any]:
    return dict(msgspec.to_builtins(brand))


def _facts(name: str, brand: Brand) -> dict[str, Any]:
    """Return what the audit tells of a brand, whose picture would be too large."""
    return {
        "name": name,
        "color": brand.color,
        "accent": brand.accent,
        "logo": bool(brand.logo),
        "reply_to": bool(brand.reply_to),
        "imprint_url": brand.imprint_url,
        "privacy_url": brand.privacy_url,
        "retention_days": brand.retention_days,
    }


def _record(action: str, company: Company, actor: User, **facts: Any) -> None:
    record(action, object=f"company:{company.pk}", actor_id=actor.pk, **facts)
