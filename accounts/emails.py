"""Whose an e-mail address is.

Anybody may *claim* an address, by signing up with it or by adding it to an account. Only who reads
its mail can *prove* it, and all other claims end with the first proof. Until then an account with
nothing but its claim can be had by whoever reads the mail, through a forgotten password. So a claim
keeps nobody out: either its address can sign up again, or it can reset the claimant.
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
"""No address is longer, by RFC 5321, and no column that holds one."""

CLAIM_HOLDS = timedelta(days=1)
"""How long nobody else may sign up with an address that somebody has just signed up with."""

CLAIMS_MAX = 10
"""Accounts that are told of one reset, where nobody has proved the address."""

# RFC 6761 and its like: names that no mail from here ever reaches, or only a machine of our own.
_SPECIAL_USE = frozenset(
    ("alt", "arpa", "internal", "invalid", "lan", "local", "localdomain", "localhost", "onion")
)
_validate = EmailValidator(allowlist=[])


def check_email(email: str) -> None:
    """Raise ``ValidationError`` for an address that is none on the internet."""
    _validate(email)
    # What is stored is in lower case, which may be longer.
    lowered = email.lower()
    top = lowered.rpartition("@")[2].rpartition(".")[2]
    try:
        # By this name mail finds the way; invisible characters are in none.
        lowered.rpartition("@")[2].encode("idna")
    except UnicodeError:
        top = "invalid"
    if len(lowered) > EMAIL_MAX_LENGTH or top in _SPECIAL_USE or top.isdigit() or top.endswith("]"):
        raise ValidationError(_validate.message, code="invalid", params={"value": email})


def lock_email(email: str) -> None:
    """Wait, inside a transaction, for whoever else is doing something with this address.

    An address is unique only once it is proved; two that prove it at once wait for each other
    here, and the second then sees the first.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            [f"accounts.email:{email.lower()}"],
        )


def reset_addresses(user: User) -> list[str]:
    """Return the addresses that a forgotten password may be reset by.

    Those are the account's verified ones. An unverified one does only while it is all that the
    account has, because it is then what its owner signed up with.
    """
    rows = list(EmailAddress.objects.filter(user=user).values_list("email", "verified"))
    if verified := [email for email, is_verified in rows if is_verified]:
        return verified
    claimed = {email for email, _ in rows} | ({user.email.lower()} - {""})
    return list(claimed) if len(claimed) == 1 else []


def accounts_to_reset(email: str) -> list[User]:
    """Return the accounts whose password the owner of this mailbox may reset.

    That is the one account that has proved the address, or else those that have nothing but their
    claim to it, the oldest first. One that may not sign in by password is never among them.
    """
    email = email.lower()
    proved = Q(emailaddress__email=email, emailaddress__verified=True)
    found = list(User.objects.filter(proved))
    if not found:
        ids = {
            *EmailAddress.objects.filter(email=email).values_list("user_id", flat=True)[:100],
            *User.objects.filter(email=email).values_list("pk", flat=True)[:100],
        }
        found = [
            user
            for user in User.objects.filter(pk__in=ids).order_by("pk")
            if reset_addresses(user) == [email]
        ]
    return [user for user in found if user.is_active and user.has_usable_password()][:CLAIMS_MAX]


def email_taken(email: str) -> bool:
    """Return whether an account has proved this address, or has just signed up with it."""
    if EmailAddress.objects.filter(email=email.lower(), verified=True).exists():
        return True
    since = timezone.now() - CLAIM_HOLDS
    return any(user.date_joined > since for user in accounts_to_reset(email))


class ResetLink(PasswordResetTokenGenerator):
    """The token in a link that resets a password; it proves the address that it was mailed to.

    It is good until it is used, for ``PASSWORD_RESET_TIMEOUT``, and while the account may still be
    reset by that address.
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
    """Return the address that a token was mailed to, or ``None`` where it is not good."""
    if not user.is_active or not user.has_usable_password():
        return None
    for email in reset_addresses(user):
        if PasswordResetTokenGenerator.check_token(ResetLink(email), user, token):
            return email
    return None


def claims_end(email: str, *, owner: User) -> None:
    """Take the address from every other account; call it where ``owner`` has just proved it."""
    others = EmailAddress.objects.filter(email=email, verified=False).exclude(user=owner)
    others.delete()
    for user in User.objects.filter(email=email).exclude(pk=owner.pk):
        left = EmailAddress.objects.filter(user=user).order_by("-primary", "-verified", "pk")
        user.email = left.values_list("email", flat=True).first() or ""
        user.save(update_fields=["email"])


def address_prove(user: User, email: str) -> list[str] | None:
    """Make the address the account's only one, verified and primary; return those it replaces.

    ``None``, and nothing done, where another account has proved it. Call it inside a transaction.
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
