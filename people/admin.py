"""Accounts in the admin. What they may do is changed by the same services as everywhere.

A permission says what a member of staff may do, and ``accounts.ranks`` says to which accounts. Only
superusers give and take rank.
"""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm, UserChangeForm
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from accounts.admin_recent import RecentFirst
from accounts.models import Token, User
from accounts.ranks import reaches, within_reach
from accounts.sessions.recent import confirm_first, is_recent
from audit.services import record
from people.guard import LastAdmin, changing_people, lock_people, may_manage
from people.selectors import roles
from people.services import FLAGS, account_change, account_changed, rank_of
from shop.core.admin_tools import LargeTableAdmin
from shop.core.errors import Forbidden

RANK = ("roles", "is_client", "is_staff", "is_superuser", "groups", "user_permissions")


class UserCreationForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("username", "userid")


def _given_roles() -> list[tuple[str, str]]:
    return [(role.code, role.code) for role in roles() if role.given]


class UserForm(UserChangeForm):
    """An account. Names that do not change keep to the rules of their own time."""

    roles = forms.MultipleChoiceField(
        choices=_given_roles,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What it may do besides; staff may do everything."),
    )

    def clean_roles(self) -> list[str]:
        """Return the roles in the order that they are stored in."""
        return sorted(self.cleaned_data["roles"])

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
class UserAdmin(RecentFirst, LargeTableAdmin, DjangoUserAdmin):
    """Accounts are found by exact username or userid, and never counted or deleted.

    The ledger has no index by recorder. So the search for purchases that keep an account from being
    deleted would read the whole ledger. Deactivate an account instead.
    """

    # The actions take away only.
    recent_actions = False
    form = UserForm
    add_form = UserCreationForm
    change_password_form = PasswordForm
    ordering = ["-id"]
    list_display = ["username", "userid", "email", "is_active", "roles", "is_client", "is_staff"]
    # Django's own filters have no index.
    list_filter = ()
    search_fields = ["=username", "=userid"]
    search_help_text = _("A whole username or a whole userid.")
    fieldsets = [
        (None, {"fields": ["username", "userid", "email", "password"]}),
        (_("What it may do"), {"fields": ["is_active", *RANK, "team_roles"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["username", "userid", "usable_password", "password1", "password2"]})
    ]
    filter_horizontal = ["groups", "user_permissions"]
    readonly_fields = ["last_login", "date_joined", "team_roles"]
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

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show or change an account. What ``people.guard`` refuses is said on the page."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except (Forbidden, LastAdmin) as error:
            self.message_user(request, str(error), messages.ERROR)
            return redirect(request.get_full_path())

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        """Give an account another password, which lets in, so it needs a recent sign-in."""
        target = self.get_object(request, unquote(id))
        if self.has_change_permission(request, target) and not is_recent(request):
            return confirm_first(request)
        return super().user_change_password(request, id, form_url)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save an account, with what follows from a change of its rank."""
        with changing_people():
            before = None
            if change:
                stored = User.objects.get(pk=obj.pk)
                # Another request may have taken the actor's rights away meanwhile.
                may_manage(User.objects.get(pk=request.user.pk or 0), stored)
                before = rank_of(stored)
            super().save_model(request, obj, form, change)
            account_changed(obj.pk, before=before, actor_id=request.user.pk)
            if change:
                _record_others(request, obj, form)

    @admin.action(description=_("Revoke all tokens of the selected users"), permissions=["change"])
    @transaction.atomic
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        users = self._reached(request, queryset)
        revoked = Token.objects.filter(user__in=users).delete()[0]
        for user in users:
            record("token.ended", object=f"account:{user.pk}", actor_id=request.user.pk)
        self._log(request, users, gettext_noop("Revoked all tokens."))
        self.message_user(request, _("Revoked tokens: %(count)d.") % {"count": revoked})

    @admin.action(
        description=_("Disable the password of the selected users, and revoke their tokens"),
        permissions=["change"],
    )
    @transaction.atomic
    def disable_password(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        users = self._reached(request, queryset, but_oneself=True)
        for user in users:
            user.set_unusable_password()
            user.save(update_fields=["password"])
        Token.objects.filter(user__in=users).delete()
        self._log(request, users, gettext_noop("Disabled the password and revoked all tokens."))
        self.message_user(request, _("Passwords disabled: %(count)d.") % {"count": len(users)})

    @admin.action(description=_("Deactivate the selected users"), permissions=["change"])
    @transaction.atomic
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        lock_people()
        users = self._reached(request, queryset.filter(is_active=True), but_oneself=True)
        for user in users:
            account_change(actor=cast(User, request.user), account_id=user.pk, is_active=False)
        self._log(
            request, users, gettext_noop("Deactivated, and ended all sessions, tokens and keys.")
        )
        self.message_user(request, _("Users deactivated: %(count)d.") % {"count": len(users)})

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
            message = _(
                "Left out, because they may do what you may not, or are you: %(count)d."
            ) % {"count": left}
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


_NAMES = ("username", "userid", "email")


def _record_others(request: HttpRequest, user: User, form: Any) -> None:
    """Record what was changed of an account besides its rank, which has an entry of its own."""
    values = {name: (form.initial.get(name), form.cleaned_data[name]) for name in form.changed_data}
    changed = [name for name, (before, after) in values.items() if before != after]
    if others := [name for name in changed if name not in (*FLAGS, "roles")]:
        record(
            "account.changed",
            object=f"account:{user.pk}",
            actor_id=request.user.pk,
            after={"fields": others},
            personal={
                name: {"before": values[name][0], "after": values[name][1]}
                for name in others
                if name in _NAMES
            },
        )
