"""What accounts record in the audit: sign-ins, and what becomes of accounts and their addresses.

Signals tell of these, because allauth, the admin and commands change the same rows in many ways.
"""

from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth import user_logged_in, user_logged_out
from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver

from accounts.models import User
from audit.context import NOBODY, actor_id, origin
from audit.services import record

_STATES = ("verified", "primary")


@receiver(user_logged_in)
def signed_in(sender: Any, user: Any, credential: str = "session", **kwargs: Any) -> None:
    """Record a sign-in on the pages. Who makes another ``credential`` records that itself."""
    if credential != "session":
        return
    with transaction.atomic():
        record(
            "account.signed_in",
            object=f"account:{user.pk}",
            actor_id=user.pk,
            after={"credential": credential},
        )


@receiver(user_logged_out)
def signed_out(sender: Any, user: Any, **kwargs: Any) -> None:
    """Record the end of a session by its user."""
    if user is None:
        return
    with transaction.atomic():
        record("account.signed_out", object=f"account:{user.pk}", actor_id=user.pk)


@receiver(post_save, sender=User)
def account_saved(sender: Any, instance: Any, created: bool, **kwargs: Any) -> None:
    """Record a new account. Its first password is no change."""
    if not created:
        return
    # Django tells of the password next.
    come_from = origin()
    instance.is_new = getattr(instance, "_password", None) is not None
    record(
        "account.created",
        object=f"account:{instance.pk}",
        actor_id=come_from.actor_id or (instance.pk if come_from.credential == NOBODY else None),
        after={
            "role": instance.own_role,
            "roles": sorted(instance.roles),
            "may_sign_in": instance.has_usable_password(),
        },
    )


@receiver(pre_save, sender=EmailAddress)
def address_before(sender: Any, instance: Any, **kwargs: Any) -> None:
    """Note what the row is now."""
    before = EmailAddress.objects.filter(pk=instance.pk).values(*_STATES).first()
    instance.state_before = before


@receiver(post_save, sender=EmailAddress)
def address_saved(sender: Any, instance: Any, **kwargs: Any) -> None:
    """Record that an address was added, verified, or chosen for the mails."""
    before = instance.state_before
    after = {name: getattr(instance, name) for name in _STATES}
    if before is None:
        action = "address.added"
    elif after["verified"] and not before["verified"]:
        action = "address.verified"
    elif after["primary"] and not before["primary"]:
        action = "address.chosen"
    else:
        # That it lost its place is told by the entry of the other address.
        return
    _record_address(action, instance, before, after)


@receiver(post_delete, sender=EmailAddress)
def address_deleted(sender: Any, instance: Any, **kwargs: Any) -> None:
    """Record that an address was removed."""
    _record_address(
        "address.removed", instance, {name: getattr(instance, name) for name in _STATES}, None
    )


def _record_address(
    action: str, address: Any, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    with transaction.atomic():
        record(
            action,
            object=f"address:{address.pk}",
            actor_id=actor_id(),
            account_id=address.user_id,
            before=before,
            after=after,
            personal={"email": address.email},
        )
