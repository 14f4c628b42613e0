"""The ledger and the event log in the admin: to look at, never to change."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.models import User
from purchases.models import Event, Purchase
from shop.core.admin_tools import ReadOnlyAdmin


@admin.register(Purchase)
class PurchaseAdmin(ReadOnlyAdmin):
    list_display = ["id", "customer", "item", "quantity", "price", "currency", "timestamp"]
    list_select_related = ["customer"]
    ordering = ["-timestamp", "-id"]
    search_fields = ["=id", "=customer__username", "=customer__userid", "=item"]
    search_help_text = "A whole id, username, userid or item, in this order, letter by letter."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by one exact value at a time, so that each search is one index's work."""
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


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["position", "purchase_id", "customer"]
    list_select_related = ["customer"]
    ordering = ["-position"]
    search_fields = ["=position"]
    search_help_text = "A whole position."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # NULLs sort first in a descending index; they are what the relay has yet to number.
        return super().get_queryset(request).filter(position__isnull=False)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if not (term.isascii() and term.isdigit() and len(term) < 19):
            return queryset.none(), False
        return queryset.filter(position=int(term)), False
