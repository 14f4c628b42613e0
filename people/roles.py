"""Writes to custom roles. The built-in ones are data of the code and never change."""

import re
from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_noop

from accounts.models import User
from accounts.permissions import ROLES, Permission, codes, permission_of
from audit.services import record
from people.folding import fold, holders_of, masks_of
from people.guard import changing_people, may_give, may_manage_all, present
from people.models import CODE_MAX_LENGTH, NAME_MAX_LENGTH, Role, Team
from shop.core.errors import Conflict, FieldError, NotFound, ValidationFailed

ROLES_MAX = 200
_TAKEN = gettext_noop("There is a role of this code already.")
_CODE = re.compile(rf"[a-z][a-z0-9-]{{1,{CODE_MAX_LENGTH - 1}}}")


class BuiltIn(Conflict):
    """The role is one of the code's own."""

    code = "builtin"
    detail = gettext_noop("This role is built in and does not change.")


class InUse(Conflict):
    """Somebody has the role, or a team."""

    code = "in_use"
    detail = gettext_noop("Somebody has this role, or a team has it. Take it away first.")


class TooMany(Conflict):
    """There are as many as there may be."""

    code = "too_many"
    detail = gettext_noop("There are as many of these as there may be.")


def role_create(*, actor: User, code: str, name: str, permissions: Iterable[str]) -> Role:
    """Make a role. Raise ``ValidationFailed``, ``BuiltIn``, ``TooMany`` or ``Forbidden``."""
    mask = parse_permissions(permissions)
    if code in ROLES:
        raise BuiltIn()
    if not _CODE.fullmatch(code):
        detail = gettext_noop("Give 2 to 20 small letters, digits and hyphens, a letter first.")
        raise ValidationFailed([FieldError("invalid", detail, "code")])
    with changing_people():
        may_give(present(actor), mask)
        if Role.objects.filter(code=code).exists():
            raise ValidationFailed([FieldError("taken", _TAKEN, "code")])
        if Role.objects.count() >= ROLES_MAX:
            raise TooMany()
        role = Role.objects.create(code=code, name=parse_name(name), permissions=int(mask))
        record("role.created", object=f"role:{code}", actor_id=actor.pk, after=_state(role))
    role.refresh_from_db()
    return role


def role_change(
    *, actor: User, code: str, name: str | None = None, permissions: Iterable[str] | None = None
) -> Role:
    """Change a role, and what everybody who has it may do.

    Raise ``NotFound``, ``BuiltIn``, ``ValidationFailed``, ``Forbidden`` or ``LastAdmin``.
    """
    mask = None if permissions is None else parse_permissions(permissions)
    with changing_people():
        actor = present(actor)
        role = _role(code)
        before = _state(role)
        if name is not None:
            role.name = parse_name(name)
        if mask is not None and mask != role.permissions:
            holders = list(holders_of(code))
            may_give(actor, mask & ~role.permissions)
            may_give(actor, role.permissions & ~mask)
            may_manage_all(actor, holders)
            role.permissions = int(mask)
            role.save(update_fields=["name", "permissions"])
            fold(each.pk for each in holders)
        else:
            role.save(update_fields=["name"])
        if (after := _state(role)) != before:
            record(
                "role.changed",
                object=f"role:{code}",
                actor_id=actor.pk,
                before=before,
                after=after,
            )
    return role


def role_delete(*, actor: User, code: str) -> None:
    """Delete a role that nobody has.

    Raise ``NotFound``, ``BuiltIn``, ``InUse`` or ``Forbidden``.
    """
    with changing_people():
        actor = present(actor)
        role = _role(code)
        if holders_of(code).exists() or Team.objects.filter(roles__contains=[code]).exists():
            raise InUse()
        may_give(actor, role.permissions)
        role.delete()
        record("role.deleted", object=f"role:{code}", actor_id=actor.pk, before=_state(role))


def parse_roles(given: Iterable[str], *, own: str = "") -> list[str]:
    """Return the codes of roles to give, sorted. ``own`` may be named, and is left out.

    Raise ``ValidationFailed`` for an unknown role.
    """
    wanted = {*given} - {own}
    if wanted - masks_of(wanted).keys():
        detail = gettext_noop("One of these is no role that can be given.")
        raise ValidationFailed([FieldError("unknown_role", detail, "roles")])
    return sorted(wanted)


def parse_permissions(given: Iterable[str]) -> Permission:
    """Return the mask of permissions. Raise ``ValidationFailed`` for an unknown one."""
    mask = Permission(0)
    for code in given:
        try:
            mask |= permission_of(code)
        except KeyError:
            detail = gettext_noop("One of these is no permission.")
            raise ValidationFailed(
                [FieldError("unknown_permission", detail, "permissions")]
            ) from None
    return mask


def parse_name(name: str) -> str:
    """Return a name without blanks around it. Raise ``ValidationFailed`` if it is unprintable."""
    name = name.strip()
    if not name or len(name) > NAME_MAX_LENGTH or not all(each.isprintable() for each in name):
        detail = gettext_noop("Give 1 to 60 printable characters.")
        raise ValidationFailed([FieldError("invalid", detail, "name")])
    return name


def _role(code: str) -> Role:
    if code in ROLES:
        raise BuiltIn()
    role = Role.objects.filter(code=code).first()
    if role is None:
        raise NotFound()
    return role


def _state(role: Role) -> dict[str, Any]:
    return {"name": role.name, "permissions": codes(role.permissions)}
