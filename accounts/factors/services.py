"""Changes of second factors. Each is one transaction, with its mail."""

from dataclasses import asdict
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_noop

from accounts.factors import passkeys, recovery, totp
from accounts.factors.codes import SECOND_FACTORS, Type, WrongCode, attempt_begin, has_second_factor
from accounts.models import User
from accounts.sessions.ending import end_credentials
from accounts.ways_in import ways_in
from audit.services import record
from shop.core.errors import Conflict, NotFound


class UnverifiedAddress(Conflict):
    """The account's address is not verified, so its owner might never get in again."""

    code = "unverified_address"
    detail = gettext_noop("Verify your email address first. Then a second factor can be added.")


class AlreadyOn(Conflict):
    """The account has this already."""

    code = "already_on"
    detail = gettext_noop("The account has that already.")


class LastWayIn(Conflict):
    """Without what is to be removed nobody could sign in to the account."""

    code = "last_way_in"
    detail = gettext_noop(
        "This is the last way to sign in to the account. Set a password or add a passkey first."
    )


def lock_account(user: User) -> None:
    """Wait, inside a transaction, for every other change of the account; read it anew."""
    user.refresh_from_db(from_queryset=User.objects.select_for_update())


def check_may_add(user: User) -> None:
    """Raise ``UnverifiedAddress`` for an account that has only addresses nobody has proved.

    Who signs up with somebody else's address could otherwise keep its owner out for good.
    """
    verified = EmailAddress.objects.filter(user=user).values_list("verified", flat=True)
    if not any(verified) and (verified or user.email):
        raise UnverifiedAddress()


def totp_add(*, request: HttpRequest, user: User, secret: str, code: str) -> list[str]:
    """Add an authenticator app by its first code. Return recovery codes if they are new.

    Raise ``UnverifiedAddress``, ``AlreadyOn``, ``WrongCode`` and ``TooManyCodes``.
    """
    check_may_add(user)
    attempt = attempt_begin(user)
    step = totp.matching_step(secret, "".join(code.split()))
    if step is None:
        raise WrongCode()
    with transaction.atomic():
        lock_account(user)
        if Authenticator.objects.filter(user=user, type=Type.TOTP).exists():
            raise AlreadyOn()
        attempt.delete()
        data = totp.data_of(secret, step, account=user.pk)
        return _add(request, user, Type.TOTP, data, "totp_added")


def totp_remove(*, request: HttpRequest, user: User) -> None:
    """Remove the authenticator app. Raise ``NotFound``."""
    with transaction.atomic():
        lock_account(user)
        _remove(request, user, _one(user, type=Type.TOTP), "totp_removed")


def passkey_add(*, request: HttpRequest, user: User, name: str, made: dict[str, Any]) -> list[str]:
    """Add a passkey that a ceremony has made. Return recovery codes if they are new.

    Raise ``UnverifiedAddress``, and ``Conflict`` if the account has too many.
    """
    check_may_add(user)
    with transaction.atomic():
        lock_account(user)
        present = passkeys.passkeys_of(user)
        if any(each.data["id"] == made["id"] for each in present):
            raise AlreadyOn()
        if len(present) >= passkeys.PASSKEYS_MAX:
            raise Conflict(gettext_noop("The account has too many passkeys. Remove one first."))
        return _add(request, user, Type.WEBAUTHN, {**made, "name": name}, "passkey_added")


def passkey_rename(*, request: HttpRequest, user: User, pk: int, name: str) -> None:
    """Give a passkey another name. Raise ``NotFound``."""
    with transaction.atomic():
        lock_account(user)
        passkey = _one(user, pk=pk, type=Type.WEBAUTHN)
        before, passkey.data["name"] = passkey.data["name"], name
        passkey.save(update_fields=["data"])
        _record("factor.renamed", user, passkey, personal={"before": before, "name": name})


def passkey_remove(*, request: HttpRequest, user: User, pk: int) -> None:
    """Remove a passkey. Raise ``NotFound``, and ``LastWayIn`` if nothing else lets in."""
    with transaction.atomic():
        lock_account(user)
        passkey = _one(user, pk=pk, type=Type.WEBAUTHN)
        _remove(request, user, passkey, "passkey_removed")
        if not ways_in(user):
            raise LastWayIn()


def recovery_codes_make(*, request: HttpRequest, user: User) -> list[str]:
    """Return new recovery codes, which end the old ones. Raise ``NotFound`` without a factor."""
    with transaction.atomic():
        lock_account(user)
        if not has_second_factor(user):
            raise NotFound()
        codes = _new_recovery_codes(user)
        record("factor.codes_made", object=f"account:{user.pk}", actor_id=user.pk)
        _tell(user, "recovery_codes_made")
        return codes


def second_factor_reset(*, user: User, actor_id: int | None) -> bool:
    """Remove all second factors of somebody who has lost them. Return whether there were any.

    All credentials of the account end, because whoever took the factors may have made some. Call it
    inside a transaction. ``actor_id`` is the account that asks, or ``None`` for a command.
    """
    lock_account(user)
    if not factors_end(user):
        return False
    ended = end_credentials(user, reason="second-factor-reset")
    record(
        "factor.reset",
        object=f"account:{user.pk}",
        actor_id=actor_id,
        after={"ended": asdict(ended)},
    )
    # Not the owner asked for it, so the mail says nothing of where the request came from.
    if email := EmailAddress.objects.get_primary_email(user):
        get_adapter().send_mail("account/email/second_factor_reset", email, {"user": user})
    return True


def factors_end(user: User) -> int:
    """Remove all second factors of an account. Return how many there were.

    Call it inside a transaction that also ends the account's credentials.
    """
    removed, _ = Authenticator.objects.filter(user=user).delete()
    _flag(user)
    return removed


def _one(user: User, **which: Any) -> Authenticator:
    found = Authenticator.objects.filter(user=user, **which).first()
    if found is None:
        raise NotFound()
    return found


def _add(
    request: HttpRequest, user: User, kind: str, data: dict[str, Any], event: str
) -> list[str]:
    is_first, waited = not has_second_factor(user), user.waiting_permissions
    session = request.session.session_key or ""
    added = Authenticator.objects.create(user=user, type=kind, data=data)
    _flag(user)
    _record("factor.added", user, added)
    _tell(user, event, name=data.get("name", ""))
    if waited:
        # Whoever had only the password may have made some of the others.
        end_credentials(user, keep_session=session, reason="second-factor")
    return _new_recovery_codes(user) if is_first else []


def _remove(request: HttpRequest, user: User, authenticator: Authenticator, event: str) -> None:
    _record("factor.removed", user, authenticator)
    authenticator.delete()
    if not _flag(user):
        # Recovery codes alone are no second factor.
        Authenticator.objects.filter(user=user).delete()
    _tell(user, event, name=authenticator.data.get("name", ""))


def _new_recovery_codes(user: User) -> list[str]:
    codes = recovery.codes_new()
    Authenticator.objects.filter(user=user, type=Type.RECOVERY_CODES).delete()
    Authenticator.objects.create(
        user=user, type=Type.RECOVERY_CODES, data=recovery.data_of(codes, account=user.pk)
    )
    return codes


def _flag(user: User) -> bool:
    """Write down whether the account has a second factor; return it."""
    user.second_factor = Authenticator.objects.filter(user=user, type__in=SECOND_FACTORS).exists()
    user.save(update_fields=["second_factor"])
    return user.second_factor


def _record(
    action: str, user: User, authenticator: Authenticator, personal: dict[str, str] | None = None
) -> None:
    record(
        action,
        object=f"factor:{authenticator.pk}",
        actor_id=user.pk,
        account_id=user.pk,
        after={"type": authenticator.type},
        personal=personal or {"name": authenticator.data.get("name", "")},
    )


def _tell(user: User, event: str, **context: Any) -> None:
    """Mail the owner what has changed."""
    get_adapter().send_notification_mail(f"account/email/{event}", user, {"user": user, **context})
