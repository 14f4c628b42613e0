"""The credentials of programs: tokens of sign-ins, API keys, and grants of JWTs."""

import ipaddress
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from knox.models import AbstractAuthToken, get_digest_token
from knox.settings import CONSTANTS, knox_settings

from accounts.permissions import UNLIMITED
from shop.core.ids import UUIDv7


class CidrField(models.Field):
    """A network in PostgreSQL's ``cidr``, as text such as ``192.0.2.0/24``."""

    def db_type(self, connection: Any) -> str:
        return "cidr"

    def to_python(self, value: Any) -> str | None:
        return None if value is None else str(ipaddress.ip_network(value))


class TokenKind(models.IntegerChoices):
    """What a row of the table is a credential of."""

    SIGN_IN = 0, "token"
    KEY = 1, "key"
    JWT = 2, "jwt"


class Tokens(models.Manager["Token"]):
    """The rows, of whichever kind."""

    def create(  # type: ignore[override]
        self, user: Any, expiry: timedelta | None = knox_settings.TOKEN_TTL, **fields: Any
    ) -> tuple["Token", str]:
        """Store a new credential. Return its row and its text, which cannot be had again."""
        digest, text = get_digest_token()
        row: Token = super().create(
            digest=digest,
            token_key=text[: CONSTANTS.TOKEN_KEY_LENGTH],
            user=user,
            expiry=None if expiry is None else timezone.now() + expiry,
            **fields,
        )
        return row, text


class Token(AbstractAuthToken):
    """A credential of a program, found by the digest of its text, which is not stored.

    The table is knox's own; ``digest``, ``token_key``, ``user``, ``created`` and ``expiry`` are its
    columns. A request has the ``permissions`` that the credential and its account both have. If
    there are ``networks``, only clients in one of them may use it. ``methods`` are those of the
    sign-in that made it, such as ``password totp``. A row ends with its ``parent``, from
    which it was made; the database deletes it.
    """

    # When the access token of this request ends, in seconds since 1970; 0 for other credentials.
    ends: float = 0.0

    objects: ClassVar["Tokens"] = Tokens()

    id = models.UUIDField(db_default=UUIDv7(), editable=False)
    kind = models.SmallIntegerField(
        choices=TokenKind, default=TokenKind.SIGN_IN, db_default=TokenKind.SIGN_IN
    )
    name = models.CharField(max_length=100, blank=True, default="", db_default="")
    prefix = models.CharField(max_length=12, blank=True, default="", db_default="")
    permissions = models.BigIntegerField(default=UNLIMITED, db_default=UNLIMITED)
    # The request that made it, if it has an idempotency key; see `accounts.keys.texts`.
    asked = models.CharField(max_length=64, blank=True, default="", db_default="")
    networks = ArrayField(CidrField(), null=True, blank=True)
    methods = models.CharField(max_length=60, blank=True, default="", db_default="")
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_address = models.GenericIPAddressField(null=True, blank=True)
    # How often a grant of JWTs was refreshed, and when last; see `accounts.jwt`.
    refreshes = models.PositiveIntegerField(default=0, db_default=0)
    refreshed_at = models.DateTimeField(null=True, blank=True)
    replaced_by = models.UUIDField(null=True, blank=True)
    # The database deletes the row, because not every writer knows of parents.
    parent = models.ForeignKey(
        "self",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        blank=True,
        related_name="+",
    )

    class Meta:
        db_table = "knox_authtoken"
        verbose_name = "token"
        indexes = [
            models.Index(fields=["id"], name="knox_authtoken_id"),
            models.Index(
                fields=["parent"],
                name="knox_authtoken_parent",
                condition=models.Q(parent__isnull=False),
            ),
        ]

    @property
    def kind_name(self) -> str:
        """Return ``"token"``, ``"key"`` or ``"jwt"``."""
        return str(TokenKind(self.kind).label)

    def __str__(self) -> str:
        return self.name or self.prefix or f"{self.token_key[:4]}…"
