"""Which account an e-mail address belongs to.

Anybody may *claim* an address, by signing up with it or by adding it to an account. Only the reader
of its mail can *prove* it, and the first proof ends all other claims. An account that has only a
claim can be taken over by the reader of the mail, by a password reset. So a claim keeps nobody out:
either its address can sign up again, or it can reset the claimant.
"""

from datetime import timedelta

from allauth.account.models import EmailAddress
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from accounts.models import User

EMAIL_MAX_LENGTH = 254
"""No address is longer, by RFC 5321, and no column for one."""

CLAIM_HOLDS = timedelta(days=1)
"""Seconds during which nobody else may sign up with an address that was just signed up with."""

CLAIMS_MAX = 10
"""How many accounts one reset reaches if nobody has proved the address."""

# RFC 6761 and its like: mail from here never reaches these names, or only local machines.
_SPECIAL_USE = frozenset(
    ("alt", "arpa", "internal", "invalid", "lan", "local", "localdomain", "localhost", "onion")
)
_validate = EmailValidator(allowlist=[])


def check_email(email: str) -> None:
    """Raise ``ValidationError`` for an address that does not exist on the internet."""
    _validate(email)
    # The stored form is in lower case, which may be longer.
    lowered = email.lower()
    top = lowered.rpartition("@")[2].rpartition(".")[2]
    try:
        # Mail is routed by this form, which allows no invisible characters.
        lowered.rpartition("@")[2].encode("idna")
    except UnicodeError:
        top = "invalid"
    if len(lowered) > EMAIL_MAX_LENGTH or top in _SPECIAL_USE or top.isdigit() or top.endswith("]"):
        raise ValidationError(_validate.message, code="invalid", params={"value": email})


def is_proved(user: User, email: str) -> bool:
    """Return whether the account has proved this address."""
    return EmailAddress.objects.filter(user=user, email=email.lower(), verified=True).exists()


def verified_address(user: User) -> str | None:
    """Return the account's address if it is verified."""
    found = EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True)
    return user.email if found.exists() else None


def lock_email(email: str) -> None:
    """Wait, inside a transaction, for every other transaction about this address.

    An address is unique only once it is proved. Two transactions that prove it at once wait for
    each other here, so the second sees what the first has done.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"accounts.email:{email.lower()}"],
        )


def reset_addresses(user: User) -> list[str]:
    """Return the addresses by which the account's password may be reset.

    These are its verified addresses. An unverified one counts only while it is the account's only
    address, because its owner signed up with it.
    """
    rows = list(EmailAddress.objects.filter(user=user).values_list("email", "verified"))
    if verified := [email for email, is_verified in rows if is_verified]:
        return verified
    claimed = {email for email, _ in rows} | ({user.email.lower()} - {""})
    return list(claimed) if len(claimed) == 1 else []


def accounts_to_reset(email: str) -> list[User]:
    """Return the accounts whose password the owner of this mailbox may reset.

    That is the one account that has proved the address. Without one, they are the accounts that
    only claim it, the oldest first. An account that may not sign in by password is never among
    them.
    """
    email = email.lower()
    proved = Q(emailaddress__email=email, emailaddress__verified=True)
    found = list(User.objects.filter(proved))
    if not found:
        found = [
            user
            for user in User.objects.filter(pk__in=_claimants(email)).order_by("pk")
            if reset_addresses(user) == [email]
        ]
    return [user for user in found if user.is_active and user.has_usable_password()][:CLAIMS_MAX]


def _claimants(email: str) -> set[int]:
    """Return the ids of accounts that name the address, whatever they have proved."""
    return {
        *EmailAddress.objects.filter(email=email).values_list("user_id", flat=True)[:100],
        *User.objects.filter(email=email).values_list("pk", flat=True)[:100],
    }


def account_to_sign_in(email: str) -> User | None:
    """Return the account that the reader of this mailbox may sign in to.

    That is the account that has proved the address, even if it has no password. Without one, it is
    the oldest that a reset would reach. Its older credentials end, so one with a second factor,
    which only a proved address allows, is not among them.
    """
    email = email.lower()
    proved = User.objects.filter(emailaddress__email=email, emailaddress__verified=True).first()
    if proved is not None:
        # The same questions as if nobody had, so that the time of the answer tells nothing.
        _claimants(email)
        EmailAddress.objects.filter(email=email, verified=True).exists()
        return proved if proved.is_active else None
    return next((user for user in accounts_to_reset(email) if not user.second_factor), None)


def email_proved(email: str) -> bool:
    """Return whether an account has proved this address."""
    return EmailAddress.objects.filter(email=email.lower(), verified=True).exists()


def email_taken(email: str) -> bool:
    """Return whether an account has proved this address, or has just signed up with it."""
    if email_proved(email):
        return True
    since = timezone.now() - CLAIM_HOLDS
    return any(user.date_joined > since for user in accounts_to_reset(email))


class ResetLink(PasswordResetTokenGenerator):
    """The token in a link that resets a password. It proves the address that it was mailed to.

    It is good until it is used, for ``PASSWORD_RESET_TIMEOUT``, and only while the account may
    still be reset by that address.
    """

    key_salt = "accounts.emails.ResetLink"

    def __init__(self, email: str = "") -> None:
        super().__init__()
        self.email = email

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        return f"{super()._make_hash_value(user, timestamp)}:{self.email}"

    def check_token(self, user: User | None, token: str | None) -> bool:
        """Return whether the token is good for any of the account's addresses."""
        return user is not None and proved_by(user, token) is not None


def proved_by(user: User, token: str | None) -> str | None:
    """Return the address that a token was mailed to, or ``None`` if the token is not good."""
    if not user.is_active or not user.has_usable_password():
        return None
    for email in reset_addresses(user):
        if PasswordResetTokenGenerator.check_token(ResetLink(email), user, token):
            return email
    return None


def claims_end(email: str, *, owner: User) -> None:
    """Take the address from every other account. Call this once ``owner`` has proved it."""
    others = EmailAddress.objects.filter(email=email, verified=False).exclude(user=owner)
    others.delete()
    for user in User.objects.filter(email=email).exclude(pk=owner.pk):
        _next_address(user)


def claim_end(address: EmailAddress) -> None:
    """Take an unproved address from its account, because its reader says that it is not theirs."""
    user = address.user
    address.delete()
    if user.email == address.email:
        _next_address(user)


def _next_address(user: User) -> None:
    """Let mails go to another address of the account, if it has one."""
    left = EmailAddress.objects.filter(user=user).order_by("-primary", "-verified", "pk")
    user.email = left.values_list("email", flat=True).first() or ""
    user.save(update_fields=["email"])


def address_prove(user: User, email: str) -> list[str] | None:
    """Make the address the account's only one, verified and primary. Return those it replaces.

    Return ``None`` and do nothing if another account has proved it. Call this in a transaction.
    """
    lock_email(email)
    if EmailAddress.objects.filter(email=email, verified=True).exclude(user=user).exists():
        return None
    others = EmailAddress.objects.filter(user=user).exclude(email=email)
    dropped = list(others.filter(verified=True).values_list("email", flat=True))
    others.delete()
    EmailAddress.objects.update_or_create(
        user=user, email=email, defaults={"verified": True, "primary": True}
    )
    user.email = email
    user.save(update_fields=["email"])
    claims_end(email, owner=user)
    return dropped
