"""Addresses, tokens and groups of accounts in the admin; ``people.admin`` has the accounts.

A permission says what a member of staff may do, and ``accounts.ranks`` says to which accounts.
"""

from typing import Any

from allauth.account.admin import EmailAddressAdmin as AllauthEmailAddressAdmin
from allauth.account.models import EmailAddress
from allauth.mfa.admin import Authenticator
from allauth.socialaccount import admin as _social  # noqa: F401
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from knox.models import get_digest_token
from knox.settings import CONSTANTS

from accounts.admin_recent import RecentFirst
from accounts.models import OutgoingMail, Token, TokenKind, User
from accounts.proofs import address_verified
from accounts.ranks import reaches, within_reach
from accounts.sessions.recent import confirm_first, is_recent
from audit.admin import Audited
from audit.services import record
from shop.core.admin_tools import LargeTableAdmin, ReadOnlyAdmin


class _OwnedAdmin(LargeTableAdmin):
    """Rows of an account, in ``user``. Who may not administer the account may not change them."""

    list_select_related = ["user"]
    raw_id_fields = ["user"]
    ordering = ["-pk"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (
            obj is None or reaches(request.user, obj.user)
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (
            obj is None or reaches(request.user, obj.user)
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Nobody may move a row to another account."""
        return [] if obj is None else ["user"]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "user":
            kwargs["queryset"] = within_reach(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(user__in=User.objects.known_as(term)) if term else queryset), False


# Providers come from the environment, and only their owners link accounts to them.
for _model in (SocialApp, SocialAccount, SocialToken):
    admin.site.unregister(_model)
admin.site.unregister([EmailAddress, Group, Authenticator])


@admin.register(EmailAddress)
class EmailAddressAdmin(RecentFirst, _OwnedAdmin, AllauthEmailAddressAdmin):
    """Addresses are found by account, or by the whole address.

    Whoever is said to read an address may reset the account, so a tick at "verified" is a proof.
    """

    search_help_text = _("A whole address, username or userid.")
    list_filter = ()

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return ["=email"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if "@" in search_term:
            owners = EmailAddress.objects.filter(email=search_term.strip().lower())
            return queryset.filter(pk__in=owners.values("pk")), False
        return super().get_search_results(request, queryset, search_term)

    @admin.action(
        description=_("Mark selected email addresses as verified"), permissions=["change"]
    )
    @transaction.atomic
    def make_verified(self, request: HttpRequest, queryset: QuerySet[EmailAddress]) -> None:
        reached = queryset.filter(user__in=within_reach(request.user), verified=False)
        if addresses := [each for each in reached if self._verify(request, each)]:
            LogEntry.objects.log_actions(
                user_id=request.user.pk or 0,
                queryset=addresses,
                action_flag=CHANGE,
                change_message=gettext_noop("Marked as verified."),
            )

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: EmailAddress, form: Any, change: bool) -> None:
        """Save an address. One that becomes verified ends what any proof of it ends."""
        before = EmailAddress.objects.filter(pk=obj.pk, email=obj.email, verified=True)
        is_new = obj.verified and not before.exists()
        obj.verified = obj.verified and not is_new
        super().save_model(request, obj, form, change)
        if is_new:
            self._verify(request, obj)

    def _verify(self, request: HttpRequest, address: EmailAddress) -> bool:
        verified = address_verified(request, address)
        if verified:
            message = str(_("Marked {email} as verified.")).format(email=address.email)
        else:
            message = str(_("Another account has verified {email}.")).format(email=address.email)
        self.message_user(request, message, messages.SUCCESS if verified else messages.ERROR)
        return verified


@admin.register(Token)
class TokenAdmin(_OwnedAdmin):
    """Tokens are made and revoked, never changed. They are found by account."""

    list_display = ["__str__", "kind", "user", "created", "expiry", "last_used_at"]
    search_fields = ["=user__username"]
    search_help_text = _("A whole username or a whole userid.")
    # The index gives this order; there is none by time.
    ordering = ["-user_id"]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Make a token, which outlives the session, so it needs a recent sign-in as keys do."""
        if self.has_add_permission(request) and not is_recent(request):
            return confirm_first(request)
        return super().add_view(request, form_url, extra_context)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer no account with a second factor, because only its owner has that."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "user":
            field.queryset = field.queryset.filter(second_factor=False)
        return field

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        new = ["user", "expiry"]
        return new if obj is None else [*new, *_TOKEN_FIELDS]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Token, form: Any, change: bool) -> None:
        """Make a token, and show it to who has asked for it, only now."""
        obj.digest, token = get_digest_token()
        obj.token_key = token[: CONSTANTS.TOKEN_KEY_LENGTH]
        super().save_model(request, obj, form, change)
        self._record("token.created", request, obj)
        self.message_user(request, f"TOKEN {token}")

    def delete_model(self, request: HttpRequest, obj: Token) -> None:
        with transaction.atomic():
            self._record("token.ended", request, obj)
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Token]) -> None:
        with transaction.atomic():
            for token in queryset:
                self._record("token.ended", request, token)
            super().delete_queryset(request, queryset)

    def _record(self, action: str, request: HttpRequest, token: Token) -> None:
        record(
            action,
            object=f"{TokenKind(token.kind).label}:{token.id}",
            actor_id=request.user.pk,
            account_id=token.user_id,
        )


_TOKEN_FIELDS = [
    "kind", "name", "prefix", "permissions", "networks", "created", "last_used_at",
    "last_used_address",
]  # fmt: skip


@admin.register(Group)
class GroupAdmin(RecentFirst, Audited, LargeTableAdmin, DjangoGroupAdmin):
    """Only superusers write groups, because a group gives rank to its members.

    Roles and teams say what people may do in the shop. Groups are for rights inside the admin only,
    so a site that has none is not shown them.
    """

    search_help_text = _("A part of the name.")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) and Group.objects.exists()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_superuser", False))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request)


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnlyAdmin):
    """Mails about accounts and what became of them, without their texts, whose links let in."""

    list_display = ["created_at", "subject", "recipient", "status", "error"]
    ordering = ["-pk"]
    exclude = ["body", "claim", "origin"]
    search_fields = ["=recipient"]
    search_help_text = _("A whole address.")


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin):
    """Who has which second factors, without their secrets.

    ``manage.py reset_second_factor`` and the API remove them, because more has to end with them.
    """

    list_display = ["user", "type", "created_at", "last_used_at"]
    list_select_related = ["user"]
    ordering = ["-pk"]
    exclude = ["data"]
    search_fields = ["=user__username"]
    search_help_text = _("A whole username.")
