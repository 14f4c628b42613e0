"""Accounts, their addresses, tokens and groups in the admin.

A permission says what a member of staff may do, and ``accounts.ranks`` says to which accounts. Only
superusers give and take rank.
"""

from typing import Any

from allauth.account.admin import EmailAddressAdmin as AllauthEmailAddressAdmin
from allauth.account.models import EmailAddress
from allauth.mfa.admin import Authenticator
from allauth.socialaccount import admin as _social  # noqa: F401
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from knox.models import get_digest_token
from knox.settings import CONSTANTS

from accounts.models import OutgoingMail, Token, User
from accounts.permissions import GIVEN_ROLES
from accounts.ranks import reaches, within_reach
from shop.core.admin_tools import LargeTableAdmin, ReadOnlyAdmin

RANK = ("roles", "is_client", "is_staff", "is_superuser", "groups", "user_permissions")


class UserCreationForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("username", "userid")


class UserForm(UserChangeForm):
    """An account. Names that do not change keep to the rules of their own time."""

    roles = forms.MultipleChoiceField(
        choices=[(role, role) for role in GIVEN_ROLES],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="What it may do besides; staff may do everything.",
    )

    def save(self, commit: bool = True) -> User:
        """Save the account; its roles are also held as a mask, by which everything is asked."""
        if "roles" in self.cleaned_data:
            self.instance.give_roles(self.cleaned_data["roles"])
        user: User = super().save(commit)
        return user

    def _get_validation_exclusions(self) -> set[str]:
        names = ("username", "userid")
        unchanged = {name for name in names if self.data.get(name) == self.initial.get(name)}
        exclusions: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return exclusions | unchanged


class PasswordForm(AdminPasswordChangeForm):
    """A new password, or none; either ends the account's tokens."""

    @transaction.atomic
    def save(self, commit: bool = True) -> User:
        user: User = super().save(commit)
        Token.objects.filter(user=user).delete()
        return user


@admin.register(User)
class UserAdmin(LargeTableAdmin, DjangoUserAdmin):
    """Accounts are found by exact username or userid, and never counted or deleted.

    The ledger has no index by recorder. So the search for purchases that keep an account from being
    deleted would read the whole ledger. Deactivate an account instead.
    """

    form = UserForm
    add_form = UserCreationForm
    change_password_form = PasswordForm
    ordering = ["-id"]
    list_display = ["username", "userid", "email", "is_active", "roles", "is_client", "is_staff"]
    # Django's own filters have no index.
    list_filter = ()
    search_fields = ["=username", "=userid"]
    search_help_text = "A whole username or a whole userid."
    fieldsets = [
        (None, {"fields": ["username", "userid", "email", "password"]}),
        ("What it may do", {"fields": ["is_active", *RANK]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["username", "userid", "usable_password", "password1", "password2"]})
    ]
    filter_horizontal = ["groups", "user_permissions"]
    readonly_fields = ["last_login", "date_joined"]
    actions = ["revoke_tokens", "disable_password", "deactivate"]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and (
            obj is None or reaches(request.user, obj)
        )

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """Only superusers change rank, and nobody locks their own account."""
        fields = [*super().get_readonly_fields(request, obj)]
        if not getattr(request.user, "is_superuser", False):
            fields += RANK
        if obj is not None and obj.pk == request.user.pk:
            fields.append("is_active")
        return fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(pk__in=User.objects.known_as(term)) if term else queryset), False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save a user. If it is not active, its tokens end for good."""
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            if not obj.is_active:
                Token.objects.filter(user=obj).delete()

    @admin.action(description="Revoke all tokens of the selected users", permissions=["change"])
    @transaction.atomic
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        users = self._reached(request, queryset)
        revoked, _ = Token.objects.filter(user__in=users).delete()
        self._log(request, users, "Revoked all tokens.")
        self.message_user(request, f"Revoked {revoked} tokens.")

    @admin.action(
        description="Disable the password of the selected users, and revoke their tokens",
        permissions=["change"],
    )
    @transaction.atomic
    def disable_password(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        users = self._reached(request, queryset, but_oneself=True)
        for user in users:
            user.set_unusable_password()
            user.save(update_fields=["password"])
        Token.objects.filter(user__in=users).delete()
        self._log(request, users, "Disabled the password and revoked all tokens.")
        self.message_user(request, f"Disabled the passwords of {len(users)} users.")

    @admin.action(description="Deactivate the selected users", permissions=["change"])
    @transaction.atomic
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        users = self._reached(request, queryset.filter(is_active=True), but_oneself=True)
        Token.objects.filter(user__in=users).delete()
        User.objects.filter(pk__in=[user.pk for user in users]).update(is_active=False)
        self._log(request, users, "Deactivated, and revoked all tokens.")
        self.message_user(request, f"Deactivated {len(users)} users.")

    def _reached(
        self, request: HttpRequest, queryset: QuerySet[User], but_oneself: bool = False
    ) -> list[User]:
        """Return the selected accounts that the caller may administer, and name the others."""
        users = list(queryset)
        reached = within_reach(request.user).filter(pk__in=[user.pk for user in users])
        if but_oneself:
            # Nobody may lock their own account.
            reached = reached.exclude(pk=request.user.pk or 0)
        kept = list(reached.order_by("pk").select_for_update(of=("self",)))
        if left := len(users) - len(kept):
            message = f"Left out {left} who may do what you may not, or who are you."
            self.message_user(request, message, messages.WARNING)
        return kept

    def _log(self, request: HttpRequest, users: list[User], message: str) -> None:
        if users:
            LogEntry.objects.log_actions(
                user_id=request.user.pk or 0,
                queryset=users,
                action_flag=CHANGE,
                change_message=message,
            )


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
class EmailAddressAdmin(_OwnedAdmin, AllauthEmailAddressAdmin):
    """Addresses are found by account, or by the whole address."""

    search_help_text = "A whole address, username or userid."
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

    @admin.action(description="Mark selected email addresses as verified", permissions=["change"])
    @transaction.atomic
    def make_verified(self, request: HttpRequest, queryset: QuerySet[EmailAddress]) -> None:
        reached = queryset.filter(user__in=within_reach(request.user), verified=False)
        addresses = list(reached)
        super().make_verified(request, reached)
        if addresses:
            LogEntry.objects.log_actions(
                user_id=request.user.pk or 0,
                queryset=addresses,
                action_flag=CHANGE,
                change_message="Marked as verified.",
            )


@admin.register(Token)
class TokenAdmin(_OwnedAdmin):
    """Tokens are made and revoked, never changed. They are found by account."""

    list_display = ["__str__", "kind", "user", "created", "expiry", "last_used_at"]
    search_fields = ["=user__username"]
    search_help_text = "A whole username or a whole userid."
    # The index gives this order; there is none by time.
    ordering = ["-user_id"]

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
        self.message_user(request, f"TOKEN {token}")


_TOKEN_FIELDS = [
    "kind", "name", "prefix", "permissions", "networks", "created", "last_used_at",
    "last_used_address",
]  # fmt: skip


@admin.register(Group)
class GroupAdmin(LargeTableAdmin, DjangoGroupAdmin):
    """Only superusers write groups, because a group gives rank to its members."""

    search_help_text = "A part of the name."

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
    search_help_text = "A whole address."


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
    search_help_text = "A whole username."
