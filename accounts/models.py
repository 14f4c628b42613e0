"""Users: customers, client programs and staff."""

import secrets
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.auth.password_validation import password_changed
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MinLengthValidator
from django.db import models, transaction
from django.db.models.functions import Lower, Now, Upper
from django.utils.crypto import salted_hmac

from accounts.captcha.models import CaptchaUsed
from accounts.keys.models import Token, TokenKind
from accounts.names import (
    TYPED_MAX_LENGTH,
    KeysEnd,
    NameKey,
    NewUserid,
    NewUsername,
    SignInName,
    normalise,
)
from accounts.permissions import (
    ROLE_NAMES,
    ROLES,
    UNLIMITED,
    own_role,
    role_mask,
    waiting_for_factor,
)
from accounts.sessions.models import BrowserSession, Place
from shop.core.apps import declared

__all__ = [
    "Accounts",
    "BrowserSession",
    "CaptchaUsed",
    "CodeAttempt",
    "LiveTicket",
    "OutgoingMail",
    "Place",
    "Token",
    "TokenKind",
    "User",
]

USERNAME_MAX_LENGTH = 150
USERID_MAX_LENGTH = 64


WITH_RIGHTS = (
    models.Q(is_staff=True)
    | models.Q(is_superuser=True)
    | models.Q(is_client=True)
    | ~models.Q(roles=[])
    | ~models.Q(team_roles=[])
)
"""The condition of accounts that are more than customers; its index is partial."""


def new_userid() -> str:
    """Return the external id of a new account: 16 hexadecimal digits, 64 random bits."""
    return secrets.token_hex(8)


class Accounts(UserManager["User"]):
    """Accounts, found by their names as ``accounts.names`` compares them."""

    def named(self, username: str) -> models.QuerySet["User"]:
        """Return the accounts with this username: one, or namesakes with the nearest first."""
        # No stored name begins or ends with a blank, because every way in strips them.
        username = username.strip()
        if len(username) > TYPED_MAX_LENGTH:
            return self.none()
        same = self.alias(key=NameKey("username")).filter(key=NameKey(models.Value(username)))
        exact = models.Case(models.When(username=normalise(username), then=0), default=1)
        return same.order_by(exact, "namesake")

    def known_as(self, name: str) -> set[int]:
        """Return the ids of accounts with this username or userid, by one query on each index."""
        return {
            *self.named(name).values_list("pk", flat=True),
            *self.filter(userid=normalise(name)).values_list("pk", flat=True),
        }

    def starting_with(self, field: str, text: str) -> models.QuerySet["User"]:
        """Return the accounts whose ``username``, ``userid`` or ``email`` begins with the text.

        They are compared as usernames are, and come in the order of an index, as ``key``.
        """
        if len(text) > TYPED_MAX_LENGTH:
            return self.alias(key=NameKey(field)).none()
        found = self.alias(key=NameKey(field)).filter(
            key__gte=NameKey(models.Value(text)), key__lt=KeysEnd(models.Value(text))
        )
        # The index of addresses has no empty ones.
        return (found.exclude(email="") if field == "email" else found).order_by("key")

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the account with this username. Raise ``User.DoesNotExist``."""
        user = self.named(username or "").first()
        if user is None:
            raise self.model.DoesNotExist
        return user


class User(AbstractUser):  # type: ignore[django-manager-missing]
    """A user who may sign in, or a customer whom a client program has named.

    ``username`` and ``userid`` are both unique and both known outside. ``userid`` is the id that
    the shop's other systems use; a new user gets a random one. A customer whom a client program
    named has neither a usable password nor an address, so it cannot sign in.

    ``namesake`` is 0 except for some old accounts. Of accounts whose names became the same by
    today's rules, all but the first have a number of their own.
    """

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    username = models.CharField(
        max_length=USERNAME_MAX_LENGTH,
        unique=True,
        validators=[MinLengthValidator(1), SignInName(), NewUsername()],
    )
    namesake = models.PositiveSmallIntegerField(db_default=0, editable=False)
    userid = models.CharField(
        max_length=USERID_MAX_LENGTH, unique=True, default=new_userid, validators=[NewUserid()]
    )
    email = models.EmailField(blank=True)
    is_client = models.BooleanField(
        "client program",
        default=False,
        help_text="May record purchases for any customer.",
    )

    # The roles that the account was given beside its own, those that its teams give it, and the
    # mask of all of them. `people.services` writes the three together.
    roles = ArrayField(models.CharField(max_length=20), default=list, db_default=[], blank=True)
    team_roles = ArrayField(
        models.CharField(max_length=20), default=list, db_default=[], editable=False
    )
    role_permissions = models.BigIntegerField(db_default=0, default=0, editable=False)

    # A new one ends all sessions; see `accounts.sessions.ending`.
    session_salt = models.CharField(
        max_length=32, blank=True, default="", db_default="", editable=False
    )
    # Whether it has an authenticator app or a passkey; `accounts.factors.services` writes it.
    second_factor = models.BooleanField(default=False, db_default=False, editable=False)

    # What the account has chosen; "" is what its browser says. See `accounts.reader`.
    language = models.CharField(max_length=10, blank=True, default="", db_default="")
    time_zone = models.CharField(max_length=64, blank=True, default="", db_default="")
    theme = models.CharField(max_length=10, blank=True, default="", db_default="")

    # The mask of this request's credential; unlimited unless the credential says less.
    credential_permissions: int = UNLIMITED
    # The columns as the object was read or saved.
    _stored: Mapping[str, Any] = MappingProxyType({})

    objects: ClassVar[Accounts] = Accounts()

    REQUIRED_FIELDS = ["email"]

    class Meta:
        constraints = [
            # Otherwise "Joe" could pass for "joe".
            models.UniqueConstraint(NameKey("username"), "namesake", name="accounts_user_name_key"),
            # The version before looks names up by this index.
            models.UniqueConstraint(Lower("username"), name="accounts_user_username_lower"),
            models.CheckConstraint(
                condition=~models.Q(userid="") & ~models.Q(username=""),
                name="accounts_user_named",
            ),
        ]
        indexes = [
            # allauth looks usernames up with ``iexact``, which Django writes as ``UPPER()``.
            models.Index(Upper("username"), name="accounts_user_username_upper"),
            models.Index(
                fields=["email"], name="accounts_user_email", condition=~models.Q(email="")
            ),
            # People search for customers by the beginning of an id or an address.
            models.Index(NameKey("userid"), name="accounts_user_userid_start"),
            models.Index(
                NameKey("email"), name="accounts_user_email_start", condition=~models.Q(email="")
            ),
            # Of all accounts few have more rights than a customer.
            models.Index(fields=["id"], name="accounts_user_with_rights", condition=WITH_RIGHTS),
        ]

    @classmethod
    def normalize_username(cls, username: str) -> str:
        """Return a username as it is stored; ``None`` stays ``None``, as after a refusing form."""
        return normalise(username) if isinstance(username, str) else username

    def clean(self) -> None:
        """Raise ``ValidationError`` if another account has the username."""
        super().clean()
        others = User.objects.named(self.username or "").exclude(pk=self.pk)
        if others.filter(namesake=self.namesake if self.pk else 0).exists():
            raise ValidationError(
                {"username": "A user with that username already exists."}, code="unique"
            )

    @property
    def own_role(self) -> str:
        """Return the role that the account has by its kind."""
        return own_role(is_admin=self.is_superuser or self.is_staff, is_client=self.is_client)

    @property
    def permissions(self) -> int:
        """Return the permissions of this request: those that both account and credential have.

        The account's part is what the column ``accounts_user.permissions`` computes. What waits
        for a second factor is left out.
        """
        return self.account_permissions & self.credential_permissions & ~self.waiting_permissions

    @property
    def waiting_permissions(self) -> int:
        """Return the permissions of the account that it has only with a second factor."""
        if self.second_factor or not settings.SECOND_FACTOR_REQUIRED:
            return 0
        return self.account_permissions & int(waiting_for_factor(is_client=self.is_client))

    @property
    def account_permissions(self) -> int:
        """Return the permissions of the account, whatever the credential of this request."""
        return int(ROLES[self.own_role] | self.role_permissions)

    @property
    def all_roles(self) -> list[str]:
        """Return the account's roles: its own first, then those given and those of its teams."""
        return [self.own_role, *sorted({*self.roles, *self.team_roles} - {self.own_role})]

    @property
    def role_names(self) -> list[str]:
        """Return the names of the account's roles for people.

        One query if there is a custom role among them, and none otherwise.
        """
        names: dict[str, Any] = {**ROLE_NAMES}
        if unknown := [role for role in self.all_roles if role not in names]:
            for find in declared("role_names"):
                names |= find(unknown)
        return [str(names.get(role, role)) for role in self.all_roles]

    def give_roles(self, roles: Iterable[str]) -> None:
        """Make these built-in roles those of a new account, which the caller saves.

        Raise ``KeyError`` for an unknown role.
        """
        self.roles = sorted(set(roles))
        self.role_permissions = int(role_mask(self.roles))

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> "User":
        """Return the account of a row, which remembers what its columns were."""
        user: User = super().from_db(*args, **kwargs)
        user._stored = user._columns()
        return user

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        super().refresh_from_db(*args, **kwargs)
        self._stored = self._columns()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the account; of an account that was read, only what was changed on this object.

        A request that saves an account which it read a moment ago would otherwise give back what
        was taken away meanwhile: a right, or the names of somebody who was erased.
        """
        if not (self._state.adding or args or kwargs.get("update_fields") is not None):
            kwargs["update_fields"] = [
                name
                for name, value in self._columns().items()
                if name not in self._stored or value != self._stored[name]
            ]
        # What a new account or password does besides is in the same transaction, and what refuses
        # the change undoes it.
        with (
            transaction.atomic()
            if self._state.adding or getattr(self, "_password", None)
            else transaction.atomic(savepoint=False)
        ):
            super().save(*args, **kwargs)
        self._stored = self._columns()

    def _columns(self) -> dict[str, Any]:
        deferred = self.get_deferred_fields()
        return {
            field.attname: getattr(self, field.attname)
            for field in self._meta.concrete_fields
            if not field.primary_key and field.attname not in deferred
        }

    def set_unusable_password(self) -> None:
        """Disable sign-in by password, which ends the account's tokens as any change does."""
        super().set_unusable_password()
        password_changed("", self)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Return the digest that each session of the account holds.

        Without a salt it is Django's own, so sessions from before there were salts go on.
        """
        digest: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]
        if not self.session_salt:
            return digest
        return salted_hmac(
            "accounts.models.User.session_salt",
            self.session_salt + digest,
            secret=secret,
            algorithm="sha256",
        ).hexdigest()

    def get_full_name(self) -> str:
        return self.username

    def get_short_name(self) -> str:
        return self.username


class LiveTicket(models.Model):
    """A one-use pass to the live feed, for clients that cannot set a header on a websocket.

    Only the ticket's SHA-256 is stored. The ticket carries the credential it was made with, so that
    its socket closes when that credential ends.
    """

    digest = models.BinaryField(primary_key=True, max_length=32)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    token_digest = models.CharField(max_length=128, blank=True)
    session_key = models.CharField(max_length=40, blank=True)
    # When the credential ends by itself, if that is no matter of its row: an access token.
    credential_ends_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return bytes(self.digest).hex()[:12]


class OutgoingMail(models.Model):
    """A mail about an account, and its progress; see ``accounts.mailing``.

    ``purpose`` is empty for mails that only the account's own acts cause. Mails that strangers can
    cause are counted by it. The body is emptied once the mail has an outcome.
    """

    class Status(models.TextChoices):
        QUEUED = "queued"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed"

    purpose = models.CharField(max_length=20, blank=True)
    recipient = models.CharField(max_length=254)
    subject = models.CharField(max_length=500)
    body = models.TextField(blank=True)
    origin = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    next_attempt_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveSmallIntegerField(default=0)
    claim = models.UUIDField(null=True)
    claimed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["recipient", "created_at"], name="accounts_mail_recipient"),
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(status__in=["queued", "sending"]),
                name="accounts_mail_unfinished",
            ),
            models.Index(fields=["finished_at"], name="accounts_mail_finished"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


from accounts.factors.models import CodeAttempt  # noqa: E402
