"""Writes to what single accounts may do. The API, the pages and the admin all come here."""

from collections.abc import Iterable, Mapping
from typing import Any

from accounts.models import User
from accounts.sessions.ending import end_credentials
from audit.services import record
from people.folding import fold, mask_of
from people.guard import changing_people, may_give, may_manage, present
from people.roles import parse_roles

FLAGS = ("is_active", "is_staff", "is_superuser", "is_client")


def account_change(
    *,
    actor: User,
    account_id: int,
    roles: Iterable[str] | None = None,
    is_active: bool | None = None,
) -> User:
    """Give an account these roles besides its own, or close it, or open it again. Return it.

    All credentials of a closed account end. Raise ``ValidationFailed``, ``Forbidden`` or
    ``LastAdmin``.
    """
    with changing_people():
        actor = present(actor)
        target = User.objects.select_for_update(no_key=True).get(pk=account_id)
        may_manage(actor, target)
        before = rank_of(target)
        if roles is not None:
            chosen = parse_roles(roles, own=target.own_role)
            # Whoever may not give a role may not take it away, either.
            may_give(actor, mask_of({*target.roles} ^ {*chosen}))
            target.roles = chosen
        if is_active is not None:
            target.is_active = is_active
        target.save()
        return account_changed(target.pk, before=before, actor_id=actor.pk)


def account_changed(
    account_id: int, *, before: Mapping[str, Any] | None, actor_id: int | None
) -> User:
    """Do what follows from a change of an account's flags or roles. Return the account.

    Call this inside ``changing_people``. ``before`` is what ``rank_of`` returned before the change,
    or ``None`` for a new account.
    """
    fold([account_id])
    target = User.objects.get(pk=account_id)
    after = rank_of(target)
    if before is None:
        before = {**dict.fromkeys(FLAGS, False), "is_active": True, "roles": []}
    if before["is_active"] and not after["is_active"]:
        end_credentials(target, reason="deactivated")
    changed = [name for name in after if after[name] != before[name]]
    if changed:
        record(
            _action(changed, after),
            object=f"account:{account_id}",
            actor_id=actor_id,
            before={name: before[name] for name in changed},
            after={name: after[name] for name in changed},
        )
    return target


def rank_of(account: User) -> dict[str, Any]:
    """Return the flags and the roles of an account."""
    return {**{name: getattr(account, name) for name in FLAGS}, "roles": list(account.roles)}


def _action(changed: list[str], after: Mapping[str, Any]) -> str:
    if changed == ["is_active"]:
        return "account.activated" if after["is_active"] else "account.deactivated"
    return "account.ranked"
