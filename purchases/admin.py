"""The ledger in the admin, read-only."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from purchases.models import Purchase
from shop.core.admin_tools import ReadOnlyAdmin


@admin.register(Purchase)
class PurchaseAdmin(ReadOnlyAdmin):
    list_display = ["id", "customer", "item", "quantity", "price", "currency", "timestamp"]
    list_select_related = ["customer"]
    ordering = ["-timestamp", "-id"]
    search_fields = ["=id", "=customer__username", "=customer__userid", "=item"]
    search_help_text = _("A whole id, username, userid or item, in this order, letter by letter.")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by one exact value at a time, so that each search uses one index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(pk=UUID(term)), False
        except ValueError:
            pass
        if customers := User.objects.known_as(term):
            return queryset.filter(customer__in=customers), False
        return queryset.filter(item=term), False
