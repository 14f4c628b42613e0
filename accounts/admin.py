"""Users in the admin."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from knox.models import AuthToken

from accounts.models import User
from shop.admin_tools import LargeTableAdmin


class UserCreationForm(AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("username", "userid")


@admin.register(User)
class UserAdmin(LargeTableAdmin, DjangoUserAdmin):
    """Found by exact username or userid; never counted."""

    add_form = UserCreationForm
    ordering = ["-id"]
    list_display = ["username", "userid", "email", "is_active", "is_client", "is_staff"]
    # Django's own filters have no index to go by.
    list_filter = ()
    search_fields = ["=username", "=userid"]
    search_help_text = "A username or a userid, exactly."
    fieldsets = [
        (None, {"fields": ["username", "userid", "email", "password"]}),
        (
            "What it may do",
            {"fields": ["is_active", "is_client", "is_staff", "is_superuser", "groups"]},
        ),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["username", "userid", "usable_password", "password1", "password2"]})
    ]
    filter_horizontal = ["groups"]
    readonly_fields = ["last_login", "date_joined"]
    actions = ["revoke_tokens", "deactivate"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        # Two queries, each on its own unique index; an OR across both would use neither well.
        ids = {
            *User.objects.filter(username=term).values_list("pk", flat=True),
            *User.objects.filter(userid=term).values_list("pk", flat=True),
        }
        return queryset.filter(pk__in=ids), False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save a user; the tokens of one that is not active end for good."""
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            if not obj.is_active:
                AuthToken.objects.filter(user=obj).delete()

    @admin.action(description="Revoke all tokens of the selected users")
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        revoked, _ = AuthToken.objects.filter(user__in=queryset).delete()
        self.message_user(request, f"Revoked {revoked} tokens.")

    @admin.action(description="Deactivate the selected users")
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        # Nobody locks itself out.
        active = queryset.filter(is_active=True).exclude(pk=request.user.pk or 0)
        with transaction.atomic():
            AuthToken.objects.filter(user__in=active).delete()
            count = active.update(is_active=False)
        self.message_user(request, f"Deactivated {count} users.")
