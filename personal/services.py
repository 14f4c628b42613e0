"""Erasures: asking for one, cancelling it, and doing it at once; and what holds them up."""

from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.names import same
from audit.services import record
from people.guard import LastAdmin, admins, lock_people, may_manage, present
from personal.erasing import erase
from personal.errors import AlreadyErased, Held
from personal.mails import day_of, mail
from personal.models import Erasure, Hold
from shop.celery import hint
from shop.core.errors import FieldError, NotFound, Unavailable, ValidationFailed

GRACE = timedelta(days=14)


def erasure_of(user: User) -> Erasure | None:
    """Return the erasure that is scheduled for the account, if any."""
    return Erasure.objects.filter(account_id=user.pk, cancelled_at=None).first()


def erasure_schedule(*, user: User, username: str) -> Erasure:
    """Schedule the erasure of one's own account; a scheduled one stays as it is.

    Raise ``ValidationFailed`` for another username, ``Held`` and ``LastAdmin``.
    """
    _check_username(user, username)
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if (earlier := erasure_of(user)) is not None:
            return earlier
        _check(user)
        erasure = _schedule(user, requested_by=user.pk, due_in=GRACE)
        mail(user, "erasure_scheduled", day=day_of(erasure.due_at))
    return erasure


def erasure_cancel(*, user: User) -> None:
    """Cancel the erasure of one's own account. Raise ``NotFound`` if none is scheduled."""
    with transaction.atomic():
        scheduled = Erasure.objects.filter(account_id=user.pk, cancelled_at=None, erased_at=None)
        if not scheduled.update(cancelled_at=Now(), reason=""):
            raise NotFound()
        record("erasure.cancelled", object=f"account:{user.pk}", actor_id=user.pk)
        mail(user, "erasure_cancelled")


def erasure_order(*, actor: User, userid: str, username: str, reason: str, now: bool) -> Erasure:
    """Schedule the erasure of somebody's account, or erase it at once.

    Raise ``NotFound``, ``Forbidden`` for somebody who may do more than the actor,
    ``ValidationFailed`` for another username, ``AlreadyErased``, ``Held`` and ``LastAdmin``.
    """
    target = User.objects.filter(userid=userid).first()
    if target is None:
        raise NotFound()
    with transaction.atomic():
        _lock(actor, target)
        _check_username(target, username)
        _check(target)
        erasure = erasure_of(target)
        if erasure is not None and erasure.erased_at is not None:
            raise AlreadyErased()
        if erasure is None:
            due_in = timedelta(0) if now else GRACE
            erasure = _schedule(target, requested_by=actor.pk, due_in=due_in, reason=reason)
            if not now:
                mail(target, "erasure_scheduled", day=day_of(erasure.due_at))
        elif now:
            Erasure.objects.filter(pk=erasure.pk).update(
                due_at=Now(), next_attempt_at=Now(), requested_by_id=actor.pk, reason=reason
            )
    if now:
        try:
            erase(erasure)
        except OSError:
            # Nothing is erased that the journal does not tell of. A worker tries again.
            raise Unavailable("The journal cannot be written. It is tried again.") from None
        hint("personal.erase")
    erasure.refresh_from_db()
    return erasure


def hold_of(user: User) -> Hold | None:
    """Return what keeps the account from being erased, if anything does."""
    return Hold.objects.filter(account_id=user.pk).first()


def hold_place(*, actor: User | None, account: User, reason: str) -> None:
    """Keep an account from being erased. ``actor`` is ``None`` for a command.

    Raise ``Forbidden`` for somebody who may do more than the actor, and ``AlreadyErased``.
    """
    with transaction.atomic():
        # An erasure locks the account, too. So it either sees the hold, or is done before.
        _lock(actor, account)
        erasure = erasure_of(account)
        if erasure is not None and erasure.erased_at is not None:
            raise AlreadyErased()
        Hold.objects.update_or_create(
            account_id=account.pk,
            defaults={"reason": reason, "placed_by_id": actor.pk if actor else None},
        )
        record("hold.placed", object=f"account:{account.pk}", actor_id=actor.pk if actor else None)


def hold_release(*, actor: User | None, account: User) -> None:
    """Let an account be erased again. ``actor`` is ``None`` for a command.

    Raise ``Forbidden`` for somebody who may do more than the actor, and ``NotFound`` if nothing
    holds it.
    """
    with transaction.atomic():
        _lock(actor, account)
        if not Hold.objects.filter(account_id=account.pk).delete()[0]:
            raise NotFound()
        Erasure.objects.filter(account_id=account.pk, erased_at=None).update(next_attempt_at=Now())
        record(
            "hold.released", object=f"account:{account.pk}", actor_id=actor.pk if actor else None
        )


def _lock(actor: User | None, account: User) -> None:
    """Lock the account. Raise ``Forbidden`` if the actor, as it is now, may not manage it."""
    lock_people()
    account = User.objects.select_for_update(no_key=True).get(pk=account.pk)
    if actor is not None:
        may_manage(present(actor), account)


def _schedule(user: User, *, requested_by: int, due_in: timedelta, reason: str = "") -> Erasure:
    erasure = Erasure.objects.create(
        account_id=user.pk,
        requested_by_id=requested_by,
        reason=reason,
        due_at=timezone.now() + due_in,
    )
    record(
        "erasure.scheduled",
        object=f"account:{user.pk}",
        actor_id=requested_by,
        after={"due_at": erasure.due_at},
    )
    return erasure


def _check_username(user: User, username: str) -> None:
    if not same(user.username, username.strip()):
        detail = _("This is not the account's username.")
        raise ValidationFailed([FieldError("mismatch", detail, "username")])


def _check(user: User) -> None:
    if Hold.objects.filter(account_id=user.pk).exists():
        raise Held()
    there = admins()
    if there.filter(pk=user.pk).exists() and not there.exclude(pk=user.pk).exists():
        raise LastAdmin()
